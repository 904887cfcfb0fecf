"""Looks at something again and again while something else is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

Value = TypeVar("Value")

# At least, and as long as a look took: whoever is late is not looked at without a pause.
PAUSE_SECONDS = 0.05


@contextmanager
def all_the_while(look: Callable[[], Value]) -> Iterator[list[tuple[float, Value]]]:
    """Yields a list that grows by (time.monotonic(), what was seen) until the block is left."""
    seen: list[tuple[float, Value]] = []
    done = Event()

    def watch() -> None:
        pause = PAUSE_SECONDS
        while not done.wait(pause):
            began = time.monotonic()
            value = look()
            ended = time.monotonic()
            seen.append((ended, value))
            pause = max(PAUSE_SECONDS, ended - began)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
