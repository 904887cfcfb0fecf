"""Which MySQL server is the primary just now, as the servers say themselves."""

from __future__ import annotations

from lab.config.ports import MYSQL_ROLE_PORT
from lab.context import Lab
from lab.errors import LabError


def primary(lab: Lab) -> str:
    """The MySQL server that says so itself."""
    for name in lab.topology.settings.mysql:
        if _is(lab, name, "primary"):
            return name
    raise LabError("MySQL has no primary: `fab doctor`")


def replica(lab: Lab) -> str:
    """A MySQL server that says it is one."""
    for name in lab.topology.settings.mysql:
        if _is(lab, name, "replica"):
            return name
    raise LabError("MySQL has no replica: `fab doctor`")


def _is(lab: Lab, name: str, role: str) -> bool:
    url = f"http://{lab.topology.address(name)}:{MYSQL_ROLE_PORT}/{role}"
    asked = ("curl", "--silent", "--fail", "--output", "/dev/null", "--max-time", "2", url)
    return lab.nodes[name].attempt(*asked)[0] == 0
