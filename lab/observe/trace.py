"""Follows one request: looks for its id on all nodes at once."""

from __future__ import annotations

import shutil
import sys
from functools import partial

from lab.context import Lab
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.observe import timeline, trace_lines


def find(lab: Lab, identity: str) -> list[timeline.Timeline]:
    """The timelines of all requests that had the id. Raises LabError if nobody knows it."""
    if not trace_lines.ID.fullmatch(identity):
        raise LabError(
            f"trace: {identity!r} should be a request's id, as its answer's header X-Request-ID"
            " has it: up to 128 of A-Z a-z 0-9 . _ : -"
        )
    looked = {name: partial(_look, node, identity) for name, node in lab.nodes.items()}
    written = [line for lines in together(looked).values() for line in lines]
    if not written:
        raise LabError(
            f"trace: no log has {identity}: take the id from an answer's header X-Request-ID, or"
            " from `fab logs --service=haproxy`; each container keeps 30 MB of its log, and a"
            " deploy begins new ones"
        )
    return timeline.timelines(written)


def _look(node: Node, identity: str) -> list[trace_lines.Line]:
    """What the node knows of it; one that does not answer hides nothing of the others."""
    try:
        return trace_lines.lines(node.name, node.run("lab-trace", identity), identity)
    except LabError as error:
        say(node.name, str(error))
        return []


def show(timelines: list[timeline.Timeline]) -> None:
    """Cut to the terminal's width, if there is one."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for number, request in enumerate(timelines):
        if number:
            print()
        for row in timeline.table(request):
            print(row[:width])
