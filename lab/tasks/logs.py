"""Shows the containers' logs of several nodes at once."""

from __future__ import annotations

import sys
from functools import partial
from threading import Lock

from lab.errors import LabError
from lab.plan import ALL
from lab.progress import together
from lab.tasks.context import Lab

_lock = Lock()


class _Prefixed:
    """A stream that writes whole lines, each behind its node's name."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._rest = ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        with _lock:
            for line in lines:
                print(f"{self._node}  {line}")

    def flush(self) -> None:
        sys.stdout.flush()


def show(lab: Lab, names: tuple[str, ...], service: str, lines: int, *, follow: bool) -> None:
    unknown = [name for name in names if name not in lab.topology.names]
    if unknown:
        raise LabError(
            f"-H: {unknown[0]!r} is no node; the nodes are {', '.join(lab.topology.names)}"
        )
    if service and service not in ALL:
        raise LabError(f"--service: {service!r} is no program; those are {', '.join(sorted(ALL))}")
    arguments = (service, str(lines), "--follow" if follow else "")
    together(
        {
            name: partial(lab.nodes[name].stream, _Prefixed(name), "lab-logs", *arguments)
            for name in names
        }
    )
