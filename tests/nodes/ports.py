"""Who may reach which port, as literal rows by role. What no row opens is closed.

Roles follow lab.yml, so the table holds wherever things are placed; tests/unit/test_ports.py spells
it out for the lab as it is delivered.
"""

from dataclasses import dataclass

from lab.config.topology import Topology

PORTS = (22, 80, 9080, 29000, 3306, 3307, 33061, 9200, 9042, 7000, 5000)
HOST = "host"
VIRTUAL = "virtual"

# (from, to, port, expected, why)
ROWS = (
    ("anyone", "node", 22, "open", "Vagrant, Fabric and testinfra come in by SSH"),
    ("anyone", "nginx", 80, "open", "each nginx can be looked at without the balancer"),
    ("anyone", "first balancer", 80, "open", "the article's balancer answers on ubuntu3 itself"),
    ("anyone", "first balancer", 9080, "open", "and so do its statistics"),
    ("anyone", "virtual", 80, "open", "the site"),
    ("anyone", "virtual", 9080, "open", "the balancer's statistics"),
    ("node", "virtual", 3306, "open", "Django writes to MySQL's primary"),
    ("node", "virtual", 3307, "open", "Django reads from MySQL's replicas"),
    ("node", "mysql", 3306, "open", "balancers reach each MySQL server"),
    ("node", "mysql", 9200, "open", "balancers ask for each server's role"),
    ("node", "mysql", 33061, "open", "the replication group's members talk to each other"),
    ("node", "cassandra", 9042, "open", "Django's driver finds and uses every Cassandra node"),
    ("node", "cassandra", 7000, "open", "the ring's nodes talk to each other"),
    ("node", "registry", 5000, "open", "nodes pull images"),
    ("its nginx", "django apart", 29000, "open", "nginx on another host than its Django"),
    ("itself", "django apart", 29000, "open", "the firewall guards what comes over the network"),
    ("its container", "django apart", 29000, "open", "so does a container of that very node"),
)


@dataclass(frozen=True)
class Place:
    """Where a probe comes from, or goes to. node: '' for the host and the virtual address."""

    name: str
    node: str
    address: str
    container: bool = False


def sources(topology: Topology) -> list[Place]:
    places = [Place(HOST, "", "")]
    places += [Place(node.name, node.name, node.address) for node in topology.nodes]
    django = dict.fromkeys(service.django for service in topology.web)
    return places + [Place(f"container of {n}", n, topology.address(n), True) for n in django]


def targets(topology: Topology) -> list[Place]:
    nodes = [Place(node.name, node.name, node.address) for node in topology.nodes]
    return [Place(VIRTUAL, "", topology.virtual_address), *nodes]


def expected(topology: Topology, source: Place, target: Place, port: int) -> tuple[str, str]:
    """The verdict that the rows demand, and why."""
    coming = source_roles(topology, source, target)
    being = target_roles(topology, target)
    for by, to, row_port, verdict, why in ROWS:
        if row_port == port and by in coming and to in being:
            return verdict, why
    return "closed", "no row opens it"


def source_roles(topology: Topology, source: Place, target: Place) -> set[str]:
    # A container reaches other nodes under its own node's address.
    roles = {"anyone"}
    for service in topology.web:
        if (service.django, service.nginx) == (target.node, source.node):
            roles.add("its nginx")
    if source.container:
        return roles | ({"its container"} if source.node == target.node else set())
    if source.node:
        roles.add("node")
    if source.node and source.node == target.node:
        roles.add("itself")
    return roles


def target_roles(topology: Topology, target: Place) -> set[str]:
    if target.name == VIRTUAL:
        return {"virtual"}
    settings, node = topology.settings, target.node
    roles = {
        "node": True,
        "nginx": any(service.nginx == node for service in topology.web),
        "first balancer": settings.balancers[0] == node,
        "mysql": node in settings.mysql,
        "cassandra": node in settings.cassandra,
        "registry": node == topology.builder and settings.registry is None,
        "django apart": any(service.django == node != service.nginx for service in topology.web),
    }
    return {role for role, holds in roles.items() if holds}


def ports(topology: Topology) -> tuple[int, ...]:
    """Who reaches sshd on a host of one's own, and by which port, is its people's to say."""
    return tuple(port for port in PORTS if port != 22 or not topology.own_hosts)


def ports_from(topology: Topology, source: Place) -> tuple[int, ...]:
    """A container is asked about uWSGI's port alone: the rest it shares with its node."""
    return (29000,) if source.container else ports(topology)
