"""Walks an account's months backwards, and makes the cursors of the pages. Pure.

What reads one month is handed in; where Cassandra is asked is in store.py.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.core import signing

from posts.ids import LATEST


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the month and the id of its last post. The next one begins behind it."""

    month: int
    last: uuid.UUID = LATEST


# (month, before which id, at most this many rows) -> rows, newest first
type ReadMonth[Row] = Callable[[int, uuid.UUID, int], Sequence[Row]]


class BadCursor(Exception):
    """Damaged, or made for somebody else."""


def page[Row](
    months: Sequence[int], start: Position | None, size: int, read: ReadMonth[Row]
) -> list[Row]:
    """Up to `size` rows behind `start` (None: from the newest); `months` are newest first."""
    found: list[Row] = []
    for month in months:
        if start is not None and month > start.month:
            continue
        before = start.last if start is not None and month == start.month else LATEST
        found += read(month, before, size - len(found))
        if len(found) == size:
            break
    return found


def cursor(position: Position, account: int) -> str:
    return signing.dumps([position.month, position.last.hex], salt=salt(account))


def position(cursor: str, account: int) -> Position:
    """Raises BadCursor."""
    try:
        month, last = signing.loads(cursor, salt=salt(account))
    except signing.BadSignature:
        raise BadCursor from None
    return Position(month, uuid.UUID(hex=last))


def salt(account: int) -> str:
    """What one account may read from, another may not."""
    return f"posts.page:{account}"
