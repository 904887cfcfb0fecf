"""The few configuration files that hold addresses, and the node's firewall."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lab.config.modes import MODES
from lab.config.ports import (
    CASSANDRA_PORT,
    CASSANDRA_RING_PORT,
    MYSQL_GROUP_PORT,
    MYSQL_PORT,
    MYSQL_READ_PORT,
    MYSQL_ROLE_PORT,
    REGISTRY_PORT,
    UWSGI_PORT,
)
from lab.config.topology import Topology

# Answered for the lab's nodes alone.
INTERNAL_PORTS = (
    MYSQL_PORT,
    MYSQL_READ_PORT,
    MYSQL_GROUP_PORT,
    MYSQL_ROLE_PORT,
    CASSANDRA_RING_PORT,
    CASSANDRA_PORT,
    REGISTRY_PORT,
)

# Swarm's managers, its gossip, and the packets of its overlay networks (VXLAN).
SWARM_TCP_PORTS, SWARM_UDP_PORTS = (2377, 7946), (7946, 4789)

_TEMPLATES = Environment(
    loader=PackageLoader("lab"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 configuration files, not HTML
)


def template(name: str, **values: Any) -> str:
    return _TEMPLATES.get_template(name).render(**values)


def firewall(topology: Topology, node: str) -> str:
    """What lab-firewall reads: lines of PORTS, the ADDRESSES that may reach them, PROTOCOL."""
    nodes = topology.addresses(topology.names)
    nginx = tuple(
        topology.address(service.nginx)
        for service in topology.web
        if MODES[service.mode].apart and service.django == node
    )
    # The same ports in every mode: while a wiring comes or goes its ports must not stand open.
    rules = (
        (INTERNAL_PORTS, nodes, "tcp"),
        (SWARM_TCP_PORTS, nodes, "tcp"),
        (SWARM_UDP_PORTS, nodes, "udp"),
        ((UWSGI_PORT,), nginx or (topology.address(node),), "tcp"),
    )
    return "".join(
        f"{','.join(map(str, ports))} {','.join(peers)} {protocol}\n"
        for ports, peers, protocol in rules
    )


def names(topology: Topology) -> str:
    """What lab-names reads: lines of ADDRESS NAME. As provision/node.sh writes it at first."""
    return "".join(f"{node.address} {node.name}\n" for node in topology.nodes)
