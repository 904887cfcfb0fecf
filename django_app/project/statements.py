"""What a request sends to the databases, for the line that is logged of it.

Texts only, with placeholders where the values go: a value may be a password's hash or somebody's
post. Outside a request, and for health probes, nothing is kept.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

# Together less than the 16 KB at which Docker would cut the line in two.
MOST = 40
LONGEST = 200  # characters of one text
# Of a longer one the end is kept too: what it is about stands behind a list of columns.
END = 130

# What is no statement of the application's, and yet takes its time.
CONNECT = "(connect)"


@dataclass(slots=True)
class Statements:
    """Of one request. started: time.monotonic(); more: how many came after the first MOST."""

    started: float
    sent: list[dict[str, object]] = field(default_factory=list)
    more: int = 0

    def fields(self) -> dict[str, object]:
        """As the log has them."""
        return {"statements": self.sent} | ({"more_statements": self.more} if self.more else {})


current: ContextVar[Statements | None] = ContextVar("statements", default=None)


def shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - END - 5]} ... {text[-END:]}"


@contextmanager
def timed(database: str, text: str) -> Iterator[dict[str, object]]:
    """Notes a statement of the current request; yields the note, for what is known only later.

    database: a Django alias or "cassandra". Milliseconds: at_ms since the request began, ms taken.
    """
    note: dict[str, object] = {"database": database, "text": shortened(text)}
    statements = current.get()
    if statements is None:
        yield note
        return
    if len(statements.sent) < MOST:
        statements.sent.append(note)
    else:
        statements.more += 1
    began = time.monotonic()
    try:
        yield note
    except Exception as error:
        note["error"] = type(error).__name__
        raise
    finally:
        note["at_ms"] = round((began - statements.started) * 1000, 1)
        note["ms"] = round((time.monotonic() - began) * 1000, 1)


def execute(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
) -> object:
    """Django's wrapper around each statement of a connection."""
    with timed(context["connection"].alias, sql):
        return execute(sql, params, many, context)
