"""What this folder keeps of the lab's hosts, below .lab: who they are, their keys, the way."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from uuid import getnode

from lab.config.paths import FOLDER, SSH_CONFIG
from lab.config.topology import OWN_HOSTS, Topology
from lab.errors import LabError
from lab.hosts import way
from lab.hosts.facts import Facts
from lab.hosts.judge import Self
from lab.hosts.way import Host
from lab.machines import made
from lab.machines.made import Machines, Made, MadeFrom
from lab.secrets.private import write

# As provision/hosts/bring.sh makes it.
LOGIN = "lab-tasks"
KEY = FOLDER / ".lab" / "login_key"
KNOWN_HOSTS = FOLDER / ".lab" / "known_hosts"
MACHINE_ID = Path("/etc/machine-id")


def named(topology: Topology) -> tuple[Host, ...]:
    """The hosts that lab.yml names."""
    return tuple(
        Host(name, node.ssh or "", node.port or way.PORT, way.key_file(node.key))
        for name, node in topology.settings.nodes.items()
    )


def known(name: str) -> tuple[Host, ...]:
    """Those that are nodes of the lab of this name, or were about to be. Raises LabError if nothing
    here tells of them."""
    return tuple(
        Host(node, one.name, one.port or way.PORT, one.key or "")
        for node, one in made.load(name).machines.items()
    )


def itself(topology: Topology) -> Self:
    """This lab, as its hosts know it."""
    public = KEY.with_suffix(".pub")
    key = public.read_text().split()[1] if public.exists() else ""
    return Self(topology.name, str(FOLDER), machine(), key)


def machine() -> str:
    """What hosts are told of this machine: its name, which others may have, too, and a digest of
    its number, which is nobody else's to know."""
    known = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else ""
    number = hashlib.sha256(f"lab {known or getnode()}".encode()).hexdigest()[:12]
    return f"{gethostname()} ({number})"


def as_seen_here(facts: Facts) -> Facts:
    """With another key where a host's lab is of a folder that is there and has a .lab of its own:
    this one is a copy of that, login key and all, and has no lab yet."""
    owner = facts.owner
    if owner is None or owner.machine != machine():
        return facts
    key = Path(owner.folder) / ".lab" / KEY.name
    if Path(owner.folder) == FOLDER or not key.exists():
        return facts
    if KEY.exists() and KEY.samefile(key):
        return facts
    return replace(facts, owner=replace(owner, key=""))


def write_down(topology: Topology, found: Mapping[str, Facts]) -> None:
    """Before they are made nodes: whoever is cut off meanwhile knows where to go on.

    found: by node, as each host told over a connection that was checked.
    """
    hosts = named(topology)
    machines = {h.node: Made(name=h.target, volumes=(), port=h.port, key=h.key) for h in hosts}
    made.write(
        Machines(
            name=topology.name,
            provider=OWN_HOSTS,
            made_from=MadeFrom(
                subnet=str(topology.subnet),
                builder=topology.builder,
                nodes=topology.settings.nodes,
                machines=topology.settings.machines,
                image="",
            ),
            machines=machines,
        )
    )
    write(KNOWN_HOSTS, known_hosts(hosts, {node: facts.keys for node, facts in found.items()}))
    write(SSH_CONFIG, ssh_config(hosts))
    if not KEY.exists():
        command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", topology.name)
        subprocess.run((*command, "-f", str(KEY)), check=True, capture_output=True)


def require_up(topology: Topology) -> None:
    """Raises LabError unless this folder's lab has hosts, and more than the default route leads to
    them: by that, something else might answer in their place."""
    try:
        hosts = known(topology.name)
    except LabError:
        raise LabError(f"the lab '{topology.name}' is not up: {made.WAY}") from None
    require_route(topology)
    # The folder may have been renamed.
    if not SSH_CONFIG.exists() or SSH_CONFIG.read_text() != ssh_config(hosts):
        write(SSH_CONFIG, ssh_config(hosts))


def require_route(topology: Topology) -> None:
    """Raises LabError unless this machine knows a way to the lab's network."""
    command = ("ip", "-4", "route", "show", "to", "match", topology.virtual_address)
    try:
        routes = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise LabError("ip: not found: run `make up`, which installs it (iproute2)") from None
    if all(line.startswith("default") for line in routes.splitlines()):
        raise LabError(
            f"lab.yml: subnet: no route of this machine leads to {topology.subnet} but the default"
            " one: run this in that network, or add a route (`ip route add"
            f" {topology.subnet} via ROUTER`)"
        )


def ssh_config(hosts: Iterable[Host]) -> str:
    """The lab's own way to each node: its own user and key, and the host keys that were checked."""
    return "".join(
        f"Host {host.node}\n"
        f"  HostName {host.address}\n"
        f"  User {LOGIN}\n"
        f"  Port {host.port}\n"
        f'  UserKnownHostsFile "{KNOWN_HOSTS}"\n'
        "  StrictHostKeyChecking yes\n"
        "  PasswordAuthentication no\n"
        f'  IdentityFile "{KEY}"\n'
        "  IdentitiesOnly yes\n"
        "  LogLevel ERROR\n"
        for host in hosts
    )


def known_hosts(hosts: Iterable[Host], keys: Mapping[str, tuple[str, ...]]) -> str:
    """As ssh reads it. keys: by node."""
    return "".join(f"{host.known_as} {key}\n" for host in hosts for key in keys[host.node])
