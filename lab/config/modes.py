"""The modes of a web service: one row each in one table, which lab.yml and all code go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to bring nginx and Django together.

    plan: MODULE:FUNCTION, what a node runs of such a web service (lab/plan/modes); by name, since
    plans are made of what this package may not know. way, files, ports: what nginx reaches Django
    by, where both find files, which ports of nodes are published: words for the matrix.
    front, back: the programs that have port 80 and that Django runs in, perhaps the same one.
    apart: the two are on two nodes, and uWSGI's port is published to nginx's. static_folder: of
    nginx's node, to which static files are rsynced; empty where nginx mounts Django's volume.
    told_address: nginx is told an address that Docker deals to Django as it starts, so it is
    started after it, by the node.
    """

    name: str
    plan: str
    way: str
    files: str
    ports: str
    front: str = "nginx"
    back: str = "django"
    apart: bool = False
    static_folder: str = ""
    told_address: bool = False


_ROWS = (
    Mode(
        "default-bridge",
        "lab.plan.modes.default_bridge:plan",
        way="default bridge, by IP",
        files="volume",
        ports="node:80",
        told_address=True,
    ),
    Mode(
        "custom-bridge",
        "lab.plan.modes.custom_bridge:plan",
        way="own bridge, by name",
        files="volume",
        ports="node:80",
    ),
    Mode(
        "unix-socket",
        "lab.plan.modes.unix_socket:plan",
        way="Unix socket",
        files="volume, socket in it",
        ports="node:80",
    ),
    Mode(
        "all-in-one",
        "lab.plan.modes.all_in_one:plan",
        way="Unix socket, one container",
        files="none: one file system",
        ports="node:80",
        front="allinone",
        back="allinone",
    ),
    Mode(
        "separate-hosts",
        "lab.plan.modes.separate_hosts:plan",
        way="network, published port",
        files="copies by rsync",
        ports="a:29000, b:80",
        apart=True,
        static_folder="/home/dock/static_files",
    ),
)
MODES = {mode.name: mode for mode in _ROWS}

# Of the lab as a whole, until the next deploy: Swarm places the containers, which no web service
# of lab.yml describes. So it has no row: nothing that a row says is asked of it.
OVERLAY = "overlay"

# The programs that have port 80, those that Django runs in, and all, in one mode or another.
FRONTS = frozenset(mode.front for mode in _ROWS)
BACKS = frozenset(mode.back for mode in _ROWS)
PROGRAMS = tuple(dict.fromkeys(program for mode in _ROWS for program in (mode.back, mode.front)))


def of_one_node() -> tuple[str, ...]:
    """The modes that a node with a web service to itself can have."""
    return tuple(mode.name for mode in MODES.values() if not mode.apart)


def _known(name: object) -> object:
    if not (isinstance(name, str) and name in MODES):
        *others, last = map(repr, MODES)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("mode", "should be {expected}", {"expected": expected})
    return name


ModeName = Annotated[str, BeforeValidator(_known)]
