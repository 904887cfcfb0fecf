"""Who is hit by a fault: finds out who has a role just now."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from lab.balancers.balancers import holder
from lab.config.modes import BACKS, FRONTS
from lab.context import Lab
from lab.databases.roles import primary
from lab.drills.faults import EVERY_NODE, Target
from lab.errors import LabError
from lab.machines import made


def targets(lab: Lab, role: str, chance: random.Random) -> tuple[Target, ...]:
    """One, but for the role of every node. Where several would do, chance decides.

    Raises LabError if nobody has the role.
    """
    if role == EVERY_NODE:
        return tuple(_node(lab, name) for name in lab.topology.names)
    if role in lab.topology.names:
        return (_node(lab, role),)
    settings = lab.topology.settings
    find: dict[str, Callable[[], tuple[list[str], str]]] = {
        "balancer": lambda: ([holder(lab)], "haproxy"),
        "keepalived": lambda: ([holder(lab)], "keepalived"),
        "nginx": lambda: (list(lab.topology.nginx_nodes), "nginx"),
        "django": lambda: ([service.django for service in lab.topology.web], "django"),
        "mysql-primary": lambda: ([primary(lab)], "mysql"),
        "mysql-replica": lambda: (sorted({*settings.mysql} - {primary(lab)}), "mysql"),
        "cassandra": lambda: (list(settings.cassandra), "cassandra"),
        "registry": lambda: ([lab.topology.builder], "registry"),
    }
    nodes, service = find[role]()
    if not nodes:
        raise LabError(f"lab.yml leaves nobody to be a {role}")
    return (_container(lab, chance.choice(nodes), service),)


def _node(lab: Lab, name: str) -> Target:
    others = [lab.topology.address(node) for node in lab.topology.names if node != name]
    if name not in lab.topology.settings.balancers:
        # A balancer may be asked there by everybody, this machine included.
        others.append(lab.topology.virtual_address)
    machines = made.load(lab.topology.name)
    machine = machines.called(name)
    return Target(name, peers=tuple(others), provider=machines.provider, machine=machine)


def _container(lab: Lab, node: str, service: str) -> Target:
    planned = lab.plan(lab.require_release(), node).containers
    # Of a web service in one image, nginx and Django are in the same container.
    names = {"nginx": FRONTS, "django": BACKS}.get(service, {service})
    for container in planned:
        if container.service in names:
            whole = _node(lab, node)
            return replace(whole, container=container.name, cpus=container.limit.cpus)
    raise LabError(f"{node}: lab.yml has no {service} there")
