"""What a task tells while it works: one line per event, with the seconds since it began."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from lab.errors import LabError

Answer = TypeVar("Answer")

_began = time.monotonic()
_lock = Lock()


def say(who: str, what: str) -> None:
    """One line on standard error, so that standard output stays the task's own."""
    with _lock:
        print(f"{elapsed():6.1f} s  {who:<8}  {what}", file=sys.stderr, flush=True)


def elapsed() -> float:
    """Seconds since the program began."""
    return time.monotonic() - _began


def together(work: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
    """Does all of it at the same time and returns the answers by name.

    Waits for every one, also when one has failed, so that nothing is left half done behind the
    caller's back; then raises a LabError that names all that failed.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(work))) as pool:
        futures = {name: pool.submit(act) for name, act in work.items()}
    errors = [error for future in futures.values() if (error := future.exception())]
    for error in errors:
        if not isinstance(error, LabError):
            raise error
    if errors:
        raise LabError("\n".join(dict.fromkeys(str(error) for error in errors)))
    return {name: future.result() for name, future in futures.items()}
