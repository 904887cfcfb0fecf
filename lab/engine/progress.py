"""What a task tells while it works: one line per event, with the seconds since it began."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from threading import Lock
from typing import TypeVar

from lab.engine.waits import elapsed, work
from lab.errors import LabError

Answer = TypeVar("Answer")

_lock = Lock()
_interruptions: list[str] = []
_phases: dict[str, float] = {}


def say(who: str, what: str) -> None:
    """One line on standard error, so that standard output stays the task's own."""
    # What is being done does not end half-way because nobody reads of it any more.
    with _lock, suppress(OSError):
        print(f"{elapsed():6.1f} s  {who:<8}  {what}", file=sys.stderr, flush=True)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Notes how long this part of a task took, for `phases`."""
    with work("lab", name) as noted:
        yield
    _phases[name] = _phases.get(name, 0.0) + noted.ended - noted.began


def phases() -> str:
    """Where the time went, in the order in which the parts ended: 'build 3.1 s, ubuntu1 4.0 s'."""
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in _phases.items())


def shown(seen: object) -> str:
    """What was seen, for people: no record, no brackets."""
    match seen:
        case dict():
            return shown([f"{shown(name)}: {shown(value)}" for name, value in seen.items()])
        case bool():
            return "yes" if seen else "no"
        case list() | tuple():
            return ", ".join(map(shown, seen)) or "nothing"
        case set() | frozenset():
            return shown(sorted(map(shown, seen)))
        case _:
            return "nothing" if seen is None else str(seen).strip() or "nothing"


def interrupted() -> bool:
    return bool(_interruptions)


def interrupt(why: str = "interrupted") -> None:
    """From now on nothing more begins."""
    _interruptions.append(why)


def resume() -> None:
    """After an interruption, for what has to be put back."""
    _interruptions.clear()


def go_on() -> None:
    """Raises LabError once the task was interrupted: what has not begun does not begin."""
    if _interruptions:
        raise LabError(f"{_interruptions[0]}: run it again to go on")


def together(tasks: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
    """Does all of it at the same time and returns the answers by name.

    Waits for every one, also when one has failed or the user interrupts, so that nothing is left
    half done behind the caller's back; then raises a LabError that names all that failed.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool:
        futures = {name: pool.submit(copy_context().run, act) for name, act in tasks.items()}
        try:
            wait(futures.values())
        except KeyboardInterrupt:
            interrupt()
            say("lab", "interrupted: ending when what has begun is done")
            raise
    errors = [error for future in futures.values() if (error := future.exception())]
    for error in errors:
        if not isinstance(error, LabError):
            raise error
    if errors:
        raise LabError("\n".join(dict.fromkeys(str(error) for error in errors)))
    return {name: future.result() for name, future in futures.items()}
