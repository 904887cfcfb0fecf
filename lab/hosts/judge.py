"""Which hosts can be nodes of a lab: one line for each reason why one can't. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.config.ports import (
    CASSANDRA_PORT,
    CASSANDRA_RING_PORT,
    MYSQL_GROUP_PORT,
    MYSQL_PORT,
    MYSQL_READ_PORT,
    MYSQL_ROLE_PORT,
    REGISTRY_PORT,
    STATISTICS_PORT,
    UWSGI_PORT,
    WEB_PORT,
)
from lab.config.topology import DOCKER_POOL, Topology
from lab.hosts.facts import Facts, Owner

# The oldest releases whose packages the lab knows.
OLDEST = {"debian": (13,), "ubuntu": (24, 4)}
SYSTEMS = "Debian 13 or newer, or Ubuntu 24.04 or newer"
# MiB that a node takes when the lab is busy (docs/measurements.md), with some room.
DISK = 3 * 1024
# Of every node, whatever runs there now: wirings move, and the firewall guards them all.
PORTS = (
    *(WEB_PORT, STATISTICS_PORT, UWSGI_PORT, REGISTRY_PORT),
    *(MYSQL_PORT, MYSQL_READ_PORT, MYSQL_GROUP_PORT, MYSQL_ROLE_PORT),
    *(CASSANDRA_PORT, CASSANDRA_RING_PORT),
    # Swarm's.
    *(2377, 7946),
)
EVERY_ADDRESS = ("0.0.0.0", "*", "::")  # noqa: S104 nothing is bound, it is asked who does
DEBIAN_DOCKER = "docker.io"


@dataclass(frozen=True, slots=True)
class Self:
    """This lab, as its hosts know whose they are."""

    name: str
    folder: str
    machine: str
    key: str

    def has(self, owner: Owner | None) -> bool:
        """Whether a host is this lab's: by the login key, or by the folder whose .lab is lost."""
        if owner is None or owner.name != self.name:
            return False
        # A clone without a .lab has no key.
        if self.key and owner.key == self.key:
            return True
        return (owner.folder, owner.machine) == (self.folder, self.machine)


def refusals(
    topology: Topology, found: Mapping[str, Facts], own: Self, *, replace: bool = False
) -> list[str]:
    """Of all hosts: what has to be otherwise before anything is changed, a line each.

    found: by node, of those that answered; replace: another lab's hosts may be taken from it.
    """
    lines = []
    for node, facts in found.items():
        said = [*_of_the_machine(topology, node, facts), *_of_its_place(topology, node, facts)]
        if own.has(facts.owner):
            said += _of_this_lab(topology, node, facts)
        elif facts.owner is not None:
            if not replace:
                said.append(of_another_lab(facts.owner))
        else:
            said += _of_what_it_has(topology, node, facts)
        lines += [f"{node} ({topology.settings.nodes[node].ssh}): {line}" for line in said]
    return lines


def _of_the_machine(topology: Topology, node: str, facts: Facts) -> Iterator[str]:
    if facts.version < OLDEST.get(facts.system, (10000,)):
        yield f"runs {facts.called}: it should be {SYSTEMS}"
        return
    if not facts.systemd:
        yield "does not run by systemd: it should"
    wanted = topology.settings.nodes[node].memory
    if facts.memory < wanted:
        yield (f"has {facts.memory} MiB of memory: nodes.{node}.memory: {wanted} should be no more")
    if facts.owner is None and facts.disk < DISK:
        yield f"has {facts.disk} MiB free below /var/lib: free {DISK}"
    if facts.sudo == "none":
        yield "has no sudo, and its user is not root: install sudo and let the user use it"


def _of_its_place(topology: Topology, node: str, facts: Facts) -> Iterator[str]:
    address, subnet = IPv4Address(topology.address(node)), topology.subnet
    holding = [one for one in facts.addresses if one.ip == address]
    if not facts.addresses:
        yield "has no `ip` to tell its addresses: install iproute2 there"
    elif not holding:
        known = ", ".join(str(one) for one in facts.addresses if not one.is_loopback) or "none"
        yield (
            f"has not the address {address} that lab.yml gives it (nodes.{node}.host, subnet), but"
            f" {known}"
        )
    elif not subnet.subnet_of(holding[0].network):
        yield f"has {holding[0]}: it should be in one network with all of {subnet}"
    silent = [
        other
        for other in topology.names
        if other != node and topology.address(other) not in facts.reached
    ]
    # A lab that is there has its firewall.
    if holding and silent and facts.owner is None:
        listed = ", ".join(f"{other} ({topology.address(other)})" for other in silent)
        yield f"does not reach {listed} at port {CASSANDRA_RING_PORT}: is a firewall between them?"


def _of_this_lab(topology: Topology, node: str, facts: Facts) -> Iterator[str]:
    if facts.provisioned not in ("", topology.address(node)):
        yield (
            f"is this lab's node with the address {facts.provisioned}: `make destroy` with the"
            " lab.yml of that time, then `make up`"
        )


def of_another_lab(owner: Owner) -> str:
    return (
        f"is a node of the lab '{owner.name}' of {owner.folder} on {owner.machine} since"
        f" {owner.since} UTC: use that, or take another host (LAB_REPLACE=yes replaces that lab,"
        " with its data)"
    )


def _of_what_it_has(topology: Topology, node: str, facts: Facts) -> Iterator[str]:
    if others := [package for package in facts.docker if package != DEBIAN_DOCKER]:
        yield f"has a Docker that is not {DEBIAN_DOCKER} ({', '.join(others)}): take another host"
    elif facts.replaced:
        yield (
            f"would have packages upgraded or removed by the node's ({', '.join(facts.replaced)}):"
            " `sudo apt-get upgrade` there, or take another host"
        )
    if facts.paths:
        yield f"has {', '.join(facts.paths)} already, which the lab would write: move that away"
    if facts.login:
        yield "has a user lab-tasks already, whom the lab would make: remove that"
    taken = {topology.address(node), topology.virtual_address, *EVERY_ADDRESS}
    ports = {port for address, port in facts.listening if address in taken and port in PORTS}
    if ports:
        listed = ", ".join(map(str, sorted(ports)))
        yield f"has port {listed} in use, which the lab needs: end what listens there (`ss -ltnp`)"
    for route in facts.routes:
        if route.prefixlen and route.overlaps(DOCKER_POOL):
            yield f"has a route to {route}, and Docker's networks would be in {DOCKER_POOL}"


def of_architectures(topology: Topology, found: Mapping[str, Facts]) -> list[str]:
    """The builder makes images for its own processor alone."""
    builder = found.get(topology.builder)
    if builder is None:
        return []
    return [
        f"{node} ({topology.settings.nodes[node].ssh}): is {facts.architecture}, and"
        f" {topology.builder}, which builds the images, is {builder.architecture}"
        for node, facts in found.items()
        if facts.architecture != builder.architecture
    ]


def of_docker(topology: Topology, node: str, told: str) -> list[str]:
    """What a Docker that was there before the lab has (provision/hosts/docker.sh)."""
    has = [line for line in told.splitlines() if line]
    if not has:
        return []
    host = f"{node} ({topology.settings.nodes[node].ssh})"
    if data := [line.removeprefix("data ") for line in has if line.startswith("data ")]:
        return [
            f"{host}: has {', '.join(data)}, and no Docker runs there to tell what of: start that,"
            " take another host, or move the data away"
        ]
    shown = ", ".join(has[:3]) + (f" and {len(has) - 3} more" if len(has) > 3 else "")
    return [f"{host}: its Docker is in use ({shown}): take another host, or remove that first"]


def of_the_address(topology: Topology, holder: str, asker: str, cloud: str) -> str:
    """That the virtual address can't move to a host."""
    where = f" ({cloud}, where addresses are its own to give)" if cloud else ""
    return (
        f"{asker} gets no answer from {topology.virtual_address} while {holder} has it{where}:"
        " no virtual address can move between the balancers there; use hosts in one network of"
        " your own, and let port 80 through"
    )
