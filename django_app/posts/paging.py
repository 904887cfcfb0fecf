"""Walks an account's months backwards, and makes the cursors of the pages. Pure.

What reads one month is handed in; where Cassandra is asked is in store.py.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core import signing

from posts.ids import LATEST, LONGEST_OPEN, month_of

# By how much the clocks of two servers may differ.
SKEW = timedelta(minutes=10)


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


def top(months: Sequence[int] | None, now: datetime) -> Position:
    """Where to begin in months, newest first; None: in the latest that anybody may write in."""
    return Position(months[0] if months else month_of(now + SKEW))


def months_since(asked: datetime, months: Iterable[int], now: datetime) -> list[int]:
    """All in which an account may have posts by now that had some in these when it was asked for
    them; newest first. What was written since bears the time at which its form was opened."""
    first = asked - LONGEST_OPEN - SKEW
    began = {month_of(first), month_of(now + SKEW)}
    day = first
    while (day := day + timedelta(days=28)) < now:
        began.add(month_of(day))
    return sorted({*months, *began}, reverse=True)


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
