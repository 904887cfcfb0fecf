"""Who waited for whom: what a task did when, and the critical path through it.

Each piece of work is noted with what it was a part of; what is waited for beside that, by `awaits`.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

_began = time.monotonic()
_numbers = itertools.count()
# Those of a task that goes on for hours would fill the memory.
_works: deque[Work] = deque(maxlen=20_000)
_current: ContextVar[Work | None] = ContextVar("current", default=None)


def elapsed() -> float:
    """Seconds since the program began."""
    return time.monotonic() - _began


@dataclass(slots=True)
class Work:
    """Something that was done, in seconds since the program began.

    who: a node, or lab; part_of, awaited: numbers of others; command: what a node was given as one.
    """

    number: int
    who: str
    what: str
    began: float
    ended: float
    part_of: int | None = None
    awaited: list[int] = field(default_factory=list)
    command: bool = False


class Stretch(NamedTuple):
    """A part of the critical path: nothing else was waited for between these seconds."""

    work: Work
    began: float
    ended: float


@contextmanager
def work(who: str, what: str, *, command: bool = False) -> Iterator[Work]:
    """Notes what is done meanwhile, as a part of what this thread was doing."""
    above = _current.get()
    now = elapsed()
    part_of = above.number if above else None
    noted = Work(next(_numbers), who, what, now, now, part_of, command=command)
    token = _current.set(noted)
    try:
        yield noted
    finally:
        _current.reset(token)
        noted.ended = elapsed()
        _works.append(noted)


def awaits(other: Work) -> None:
    """Notes that what this thread does has waited for something that it is no part of."""
    if above := _current.get():
        above.awaited.append(other.number)


def note(who: str, what: str, began: float, ended: float) -> None:
    """Notes what others did, of whom it is known only by what they printed."""
    above = _current.get()
    _works.append(Work(next(_numbers), who, what, began, ended, above.number if above else None))


def works() -> tuple[Work, ...]:
    return tuple(_works)


def critical_path(works: Iterable[Work]) -> list[Stretch]:
    """What the last one to end had to wait for, from its beginning to its end.

    From the end backwards: of all that is a part of a work, or was awaited by it, what ended last
    before that moment is what it waited for; before the beginning of that, the same is asked again.
    """
    known = {one.number: one for one in works}
    feeders: dict[int, list[Work]] = {number: [] for number in known}
    for one in known.values():
        if one.part_of in feeders:
            feeders[one.part_of].append(one)
        feeders[one.number] += (known[number] for number in one.awaited if number in known)
    at = max(known.values(), key=lambda one: one.ended, default=None)
    if at is None:
        return []
    path, moment, seen = list[Stretch](), at.ended, {at.number}
    while at:
        before = [
            one
            for one in feeders[at.number]
            if at.began < one.ended <= moment and one.number not in seen
        ]
        if last := max(before, key=lambda one: one.ended, default=None):
            path.append(Stretch(at, last.ended, moment))
            at, moment = last, last.ended
            seen.add(last.number)
        else:
            path.append(Stretch(at, at.began, moment))
            moment = at.began
            at = known.get(at.part_of) if at.part_of is not None else None
    return [stretch for stretch in reversed(path) if stretch.ended > stretch.began]


def coarse(path: Iterable[Stretch], works: Iterable[Work], least: float) -> list[Stretch]:
    """The path without works that took less than so many seconds, and without commands that are all
    that a work on their node consists of: each counts as what it was a part of."""
    known = {one.number: one for one in works}

    def counts(one: Work) -> bool:
        above = known.get(one.part_of) if one.part_of is not None else None
        told_above = one.command and above is not None and above.who == one.who
        return above is None or not (told_above or one.ended - one.began < least)

    merged: list[Stretch] = []
    for stretch in path:
        one = stretch.work
        while one.part_of is not None and not counts(one):
            one = known[one.part_of]
        if merged and merged[-1].work is one:
            merged[-1] = Stretch(one, merged[-1].began, stretch.ended)
        else:
            merged.append(Stretch(one, stretch.began, stretch.ended))
    return merged
