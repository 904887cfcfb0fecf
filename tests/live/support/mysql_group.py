"""MySQL's group as its servers' agents tell of it."""

import json

from lab.config.ports import MYSQL_ROLE_PORT
from lab.engine.ssh import wait_until
from tests.conftest import TOPOLOGY

SERVERS = TOPOLOGY.settings.mysql
# A server that fetches everything anew, while others build images on the same two cores.
WHOLE_SECONDS = 240


def state(lab, node):
    """What a server's agent says of it, asked on its own node; empty if it says nothing."""
    url = f"http://{TOPOLOGY.address(node)}:{MYSQL_ROLE_PORT}/state"
    ended, output, _ = lab.nodes[node].attempt("curl", "--silent", "--max-time", "2", url)
    return json.loads(output) if ended == 0 else {}


def states(lab):
    """Server to its place in the group, and its role there."""
    told = {name: state(lab, name) for name in SERVERS}
    return {name: f"{one.get('state')} {one.get('role')}".strip() for name, one in told.items()}


def wait_for(lab, subject, enough, seconds=WHOLE_SECONDS):
    """Until the states are as they should be; returns them."""
    return wait_until(
        subject,
        lambda: states(lab),
        enough,
        seconds=seconds,
        advice=lambda _: "`fab logs --service=mysql`",
    )


def wait_whole(lab):
    """Until all are in one group, which each of them sees; returns the primary's name."""
    roles = ["ONLINE PRIMARY", *["ONLINE SECONDARY"] * (len(SERVERS) - 1)]
    found = wait_for(lab, "all servers in one group", lambda seen: sorted(seen.values()) == roles)
    return next(name for name, role in found.items() if role == "ONLINE PRIMARY")


def wait_primary_among(lab, names):
    """Until one of these is the primary; returns its name."""

    def is_primary(found):
        return [name for name in names if found[name] == "ONLINE PRIMARY"]

    return is_primary(wait_for(lab, f"a primary among {', '.join(names)}", is_primary))[0]
