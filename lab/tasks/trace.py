"""Follows one request: looks for its id on all nodes at once."""

from __future__ import annotations

import shutil
import sys
from functools import partial

from lab import trace
from lab.errors import LabError
from lab.progress import together
from lab.tasks.context import Lab


def find(lab: Lab, identity: str) -> list[trace.Timeline]:
    """The timelines of all requests that had the id. Raises LabError if nobody knows it."""
    if not trace.ID.fullmatch(identity):
        raise LabError(
            f"trace: {identity!r} should be a request's id, as its answer's header X-Request-ID"
            " has it: up to 128 of A-Z a-z 0-9 . _ : -"
        )
    looked = {name: partial(node.run, "lab-trace", identity) for name, node in lab.nodes.items()}
    found = [
        line
        for node, output in together(looked).items()
        for line in trace.lines(node, output, identity)
    ]
    if not found:
        raise LabError(
            f"trace: no log has {identity}: take the id from an answer's header X-Request-ID, or"
            " from `fab logs --service=haproxy`; each container keeps 30 MB of its log, and a"
            " deploy begins new ones"
        )
    return trace.timelines(found)


def show(timelines: list[trace.Timeline]) -> None:
    """Cut to the terminal's width, if there is one."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for number, timeline in enumerate(timelines):
        if number:
            print()
        for row in trace.table(timeline):
            print(row[:width])
