"""What each mode is on Docker's command line, from an empty node on: as `fab plan --commands` says.

Pure; docs/modes.md shows it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from lab.config.modes import MODES, OVERLAY
from lab.config.topology import Topology, TopologyError, WebService
from lab.drawings import diagram
from lab.engine.difference import difference
from lab.engine.observation import Observation
from lab.engine.steps import as_typed
from lab.plan import modes
from lab.plan.modes import overlay
from lab.plan.plans import WEB
from lab.plan.site import Site

WIDTH = 100
# What stands in docs/modes.md, from one mark to the next.
SHOWN = "<!-- commands of {} -->"
END = "<!-- end of commands -->"


def commands(topology: Topology) -> Iterator[tuple[str, str]]:
    """Each mode and its commands; none for one that lab.yml has no place for."""
    for mode in MODES.values():
        chosen = diagram.chosen(topology, mode)
        if not isinstance(chosen, str):
            yield mode.name, _of_service(diagram.site(chosen[0]), chosen[1])
    try:
        yield OVERLAY, _of_stack(topology.with_overlay())
    except TopologyError:
        return


def _of_service(site: Site, service: WebService) -> str:
    lines = []
    for node in dict.fromkeys((service.django, service.nginx)):
        plan = modes.plan(site, service, node)
        lines.append(f"# on {node}")
        for step in difference(plan, Observation(), WEB).steps:
            lines += map(wrapped, as_typed(step))
    return "\n".join(lines)


def _of_stack(topology: Topology) -> str:
    first, *others = overlay.managers(topology)
    joining = f"the others join it by Docker's interface, {' and '.join(others)} as managers"
    lines = (
        f"# on {first}; {joining}",
        wrapped(shlex.join(overlay.init(topology))),
        wrapped(shlex.join((*overlay.DEPLOY, *overlay.OF_THE_FILE))),
    )
    return "\n".join(lines)


def wrapped(line: str) -> str:
    """Continued on further lines, in front of options."""
    rows = [""]
    for part in re.split(r" (?=--)", line):
        if rows[-1] and len(rows[-1]) + len(part) + len(" \\ ") > WIDTH:
            rows.append(f"    {part}")
        else:
            rows[-1] = f"{rows[-1]} {part}" if rows[-1] else part
    return " \\\n".join(rows)


def filled(page: str, shown: dict[str, str]) -> str:
    """A page whose marks have the commands of their modes between them."""

    def fill(found: re.Match[str]) -> str:
        text = shown.get(found["mode"], "# lab.yml has no place for it")
        return f"{found['mark']}\n```sh\n{text}\n```\n{END}"

    mark = SHOWN.format("(?P<mode>[a-z-]+)")
    return re.sub(f"(?P<mark>{mark})\n.*?{END}", fill, page, flags=re.DOTALL)
