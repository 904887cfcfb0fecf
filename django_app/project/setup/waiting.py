"""Waiting for a named condition, with a limit."""

import time
from collections.abc import Callable

Say = Callable[[str], None]

LIMIT = 240.0  # seconds: a data tier that starts from nothing on a busy machine
PAUSE = 0.25


class SetupFailed(Exception):
    """str() says what was expected, what was found, and where to look."""


def wait_for[T](
    subject: str, attempt: Callable[[], T], *, errors: tuple[type[Exception], ...], say: Say
) -> T:
    """What `attempt` returns as soon as it raises none of `errors`."""
    deadline = time.monotonic() + LIMIT
    waiting = False
    while True:
        try:
            return attempt()
        except errors as error:
            if time.monotonic() > deadline:
                last = f"{type(error).__name__}: {error}"
                raise SetupFailed(
                    f"waited {LIMIT:.0f} s for {subject}; last seen: {last}"
                ) from error
        if not waiting:
            say(f"waiting for {subject}")
            waiting = True
        time.sleep(PAUSE)
