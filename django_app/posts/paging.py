"""Walks a user's months backwards, a page at a time, and makes the cursors of the pages. Pure.

What reads one month is handed in; where Cassandra is asked is in store.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.core import signing


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: a month, and Cassandra's paging state inside it (None: at its start)."""

    month: int
    state: bytes | None = None


@dataclass(frozen=True, slots=True)
class Page[Row]:
    rows: tuple[Row, ...]
    older: Position | None


# (where, at most this many rows) -> rows, and the paging state if the month may hold more
type ReadMonth[Row] = Callable[[Position, int], tuple[Sequence[Row], bytes | None]]


class BadCursor(Exception):
    """Damaged, or made for somebody else."""


def page[Row](
    months: Sequence[int], start: Position | None, size: int, read: ReadMonth[Row]
) -> Page[Row]:
    """The rows from `start` on (None: from the newest); `months` are newest first."""
    found, rest = walk(months, start, size, read)
    # A full page tells nothing of what follows: Cassandra hands out a paging state at the end too.
    more = rest is not None and walk(months, rest, 1, read)[0]
    return Page(tuple(found), rest if more else None)


def walk[Row](
    months: Sequence[int], start: Position | None, size: int, read: ReadMonth[Row]
) -> tuple[list[Row], Position | None]:
    """Up to `size` rows, and where the next one would be (None: every month was read)."""
    found: list[Row] = []
    for month in months:
        if start is not None and month > start.month:
            continue
        state = start.state if start is not None and month == start.month else None
        while len(found) < size:
            rows, state = read(Position(month, state), size - len(found))
            found += rows
            if state is None:
                break
        else:
            return found, Position(month, state)
    return found, None


def cursor(position: Position, username: str) -> str:
    state = position.state.hex() if position.state is not None else None
    return signing.dumps([position.month, state], salt=salt(username))


def position(cursor: str, username: str) -> Position:
    try:
        month, state = signing.loads(cursor, salt=salt(username))
    except signing.BadSignature:
        raise BadCursor from None
    return Position(month, bytes.fromhex(state) if state is not None else None)


def salt(username: str) -> str:
    """Cassandra takes a paging state in any partition, another user's included."""
    return f"posts.cursor:{username}"
