"""Sets of global transaction ids, in the server's notation: `uuid:1-5:7,uuid:tag:3`."""

from collections.abc import Iterator

Intervals = dict[str, list[tuple[int, int]]]


def contains(whole: str, part: str) -> bool:
    """Whether every transaction of `part` is in `whole`."""
    have = _intervals(whole)
    return all(
        any(first <= start and end <= last for first, last in have.get(source, []))
        for source, wanted in _intervals(part).items()
        for start, end in wanted
    )


def _intervals(gtids: str) -> Intervals:
    """The intervals of each source, in order, none touching another."""
    merged: Intervals = {}
    for source, first, last in sorted(_parsed(gtids)):
        intervals = merged.setdefault(source, [])
        if intervals and first <= intervals[-1][1] + 1:
            intervals[-1] = (intervals[-1][0], max(last, intervals[-1][1]))
        else:
            intervals.append((first, last))
    return merged


def _parsed(gtids: str) -> Iterator[tuple[str, int, int]]:
    for item in gtids.replace("\n", "").split(","):
        uuid, *parts = item.strip().lower().split(":")
        source = uuid
        for part in parts:
            if part[0].isdigit():
                first, _, last = part.partition("-")
                yield source, int(first), int(last or first)
            else:
                source = f"{uuid}:{part}"
