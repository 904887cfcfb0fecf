"""The few configuration files that hold addresses, and the node's firewall."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lab.topology import (
    CASSANDRA_PORT,
    CASSANDRA_RING_PORT,
    MYSQL_GROUP_PORT,
    MYSQL_PORT,
    MYSQL_READ_PORT,
    MYSQL_ROLE_PORT,
    REGISTRY_PORT,
    UWSGI_PORT,
    Topology,
)

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
    """What lab-firewall reads: lines of PROTOCOL, PORTS, and the ADDRESSES that may reach them."""
    nodes = topology.addresses(topology.names)
    rules: list[tuple[str, tuple[int, ...], tuple[str, ...]]] = [("tcp", INTERNAL_PORTS, nodes)]
    if topology.overlay:
        rules += [("tcp", SWARM_TCP_PORTS, nodes), ("udp", SWARM_UDP_PORTS, nodes)]
    for service in topology.web:
        if service.mode == "separate-hosts" and service.django == node:
            rules.append(("tcp", (UWSGI_PORT,), (topology.address(service.nginx),)))
    return "".join(
        f"{protocol} {','.join(map(str, ports))} {','.join(peers)}\n"
        for protocol, ports, peers in rules
    )
