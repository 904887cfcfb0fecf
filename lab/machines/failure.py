"""Why Vagrant failed, of all that it printed."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A line of Ruby's trace, and one that begins with where something was raised.
FRAME = re.compile(r"\s*(?:from )?\S+:\d+:in [`'][^']*'|\s+\.\.\. \d+ levels\.\.\.")
RAISED = re.compile(r"\S+:\d+:in [`'][^']*': ")
LINES = 6


def end_of(lines: Iterable[str]) -> str:
    """The last lines that say something: none of Ruby's trace, which may be 90 lines long."""
    said = (line for line in lines if line.strip() and not FRAME.fullmatch(line))
    return "\n".join([RAISED.sub("", line) for line in said][-LINES:])
