"""What a client was promised, and whether it is still there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

# Kinds of requests. A form is read before anything is written, as a browser does.
READS = ("list", "static", "form")
WRITES = ("post", "account", "session")
KINDS = (*READS, *WRITES)


@dataclass(frozen=True, slots=True)
class Request:
    """One request and its answer.

    kind: one of KINDS; key: what it wrote, empty if it only read; began: time.monotonic(), or
    seconds since the drill began; wrong: what was not as it should be, empty if all was. A write
    with nothing wrong is acknowledged; any other may or may not have been done.
    """

    kind: str
    key: str
    began: float
    seconds: float
    wrong: str

    @property
    def ended(self) -> float:
        return self.began + self.seconds


# Kind of write, then place where it was looked for, to the keys found there, as often as found.
Found = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """acknowledged: kind to how many; lost and duplicated: a line each; unclear: written without
    an acknowledgement, and found nevertheless."""

    acknowledged: dict[str, int]
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    unclear: int

    @property
    def well(self) -> bool:
        return not (self.lost or self.duplicated)


def acknowledged(requests: Iterable[Request], kind: str) -> set[str]:
    return {one.key for one in requests if one.kind == kind and not one.wrong}


def verdict(requests: Sequence[Request], found: Found) -> Verdict:
    """Compares what was acknowledged with what each place has.

    Raises ValueError if a kind of write was not looked for anywhere: that would prove nothing.
    """
    if unseen := [kind for kind in WRITES if not found.get(kind)]:
        raise ValueError(f"nobody looked for {', '.join(unseen)}")
    promised = {kind: acknowledged(requests, kind) for kind in WRITES}
    return Verdict(
        {kind: len(keys) for kind, keys in promised.items()},
        tuple(_lost(promised, found)),
        tuple(_duplicated(found)),
        len(_unclear(requests, promised, found)),
    )


def _lost(promised: Mapping[str, set[str]], found: Found) -> Iterator[str]:
    for kind, keys in promised.items():
        for place, there in found[kind].items():
            yield from (f"{kind} {key}: not in {place}" for key in sorted(keys - set(there)))


def _duplicated(found: Found) -> Iterator[str]:
    for kind in WRITES:
        for place, there in found[kind].items():
            for key, times in sorted(Counter(there).items()):
                if times > 1:
                    yield f"{kind} {key}: {times} times in {place}"


def _unclear(
    requests: Iterable[Request], promised: Mapping[str, set[str]], found: Found
) -> set[tuple[str, str]]:
    there = {(kind, key) for kind in WRITES for keys in found[kind].values() for key in keys}
    tried = {(one.kind, one.key) for one in requests if one.kind in WRITES and one.wrong}
    return {(kind, key) for kind, key in tried & there if key not in promised[kind]}
