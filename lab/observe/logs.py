"""Shows the containers' logs of several nodes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from queue import Queue
from threading import Thread

from rich.console import Console

from lab.context import Lab
from lab.engine.progress import say
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.observe.log_lines import shown
from lab.plan.plans import ALL

# A node and what it printed; None at its end, or what went wrong.
Printed = tuple[str, str | LabError | None]


def show(
    lab: Lab, names: tuple[str, ...], service: str, lines: int, *, follow: bool, raw: bool
) -> None:
    """Prints the lines of all nodes as they come, until they end, or Ctrl-C does.

    Raises LabError naming the nodes that failed.
    """
    if service and service not in ALL:
        raise LabError(f"--service: {service!r} is no program; those are {', '.join(sorted(ALL))}")
    console = Console(highlight=False, soft_wrap=True)
    printed: Queue[Printed] = Queue()
    arguments = (service, str(lines), *(("--follow",) if follow else ()))
    for node in [lab.nodes[name] for name in names]:
        # Ends with the program, on Ctrl-C say; what runs on the node ends with its connection.
        Thread(target=partial(_read, node, arguments, printed), daemon=True).start()
    failed: list[str] = []
    with suppress(KeyboardInterrupt):
        for who, line in _until_ended(printed, len(names)):
            if isinstance(line, LabError):
                say(who, str(line))
                failed.append(who)
            else:
                console.print(shown(lab.topology.names, who, line, raw=raw))
    if failed:
        raise LabError(f"the logs of {', '.join(failed)} are not all here: see above")


def _until_ended(printed: Queue[Printed], count: int) -> Iterator[tuple[str, str | LabError]]:
    """What so many nodes print, until all of them have ended."""
    while count:
        node, line = printed.get()
        count -= not isinstance(line, str)
        if line is not None:
            yield node, line


def _read(node: Node, arguments: tuple[str, ...], printed: Queue[Printed]) -> None:
    try:
        for line in node.lines("lab-logs", *arguments):
            printed.put((node.name, line))
        printed.put((node.name, None))
    except LabError as error:
        printed.put((node.name, error))
