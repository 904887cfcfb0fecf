"""What each node is asked, as data for lab-doctor (provision/node/lab_node/asking.py).

Nothing of it changes anything, but for the log lines of those who are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.config.paths import RESTORING
from lab.config.ports import (
    CASSANDRA_PORT,
    CASSANDRA_RING_PORT,
    MYSQL_GROUP_PORT,
    MYSQL_ROLE_PORT,
    UWSGI_PORT,
    WEB_PORT,
)
from lab.config.topology import Topology
from lab.engine import memory
from lab.plan.records import Plan
from lab.plan.site import secrets_folder, volume_folder
from lab.release.releases import CURRENT

Question = tuple[str, ...]

DISK_PATHS = ("/", "/var/lib/docker", "/var/tmp", "/tmp", "/run")
CGROUP = "/sys/fs/cgroup"
MEMORY = (
    *(f"{CGROUP}/memory/memory.limit_in_bytes", f"{CGROUP}/memory/memory.usage_in_bytes"),
    *(f"{CGROUP}/memory.max", f"{CGROUP}/memory.current"),
    *(f"{CGROUP}/memory/memory.stat", f"{CGROUP}/memory.stat", "/proc/meminfo"),
)
DAEMON = (
    "pid=$(systemctl show --property MainPID --value docker);"
    ' systemctl is-active docker; ps -o stat= -p "$pid"'
)

# In seconds, how long a transaction may take from being received to being applied.
LAG_SECONDS = 2
MYSQL = (
    "SELECT 'table', table_name FROM information_schema.tables"  # noqa: S608
    " WHERE table_schema = 'djangodb';"
    " SET @before = @@GLOBAL.gtid_executed, @received = IFNULL((SELECT received_transaction_set"
    "  FROM performance_schema.replication_connection_status"
    "  WHERE channel_name = 'group_replication_applier'), '');"
    f" DO WAIT_FOR_EXECUTED_GTID_SET(@received, {LAG_SECONDS});"
    " SELECT 'behind', GTID_SUBTRACT(@received, @@GLOBAL.gtid_executed);"
    " SELECT 'applied', GTID_SUBTRACT(@@GLOBAL.gtid_executed, @before)"
)
POSTS = (
    "SELECT month FROM posts_db.months WHERE username = ' ';"
    "SELECT id FROM posts_db.posts WHERE username = ' ' AND month = 0"
)
HAPROXY_ALIVE = ("127.0.0.1", "8404", "/")

# Where Docker does not answer.
SILENT: dict[str, Question] = {"daemon": ("run", "bash", "-c", DAEMON)}
DJANGO: dict[str, Question] = {"django": ("django",)}


def questions(topology: Topology, node: str, paths: Iterable[str]) -> dict[str, Question]:
    """What a node is asked. paths: the files whose digests to tell."""
    asked: dict[str, Question] = {
        "disk": ("space", *DISK_PATHS),
        "memory": ("read", *MEMORY),
        "killed": ("killed",),
        "names": ("names", *topology.names),
        "firewall": ("run", "iptables", "-w", "2", "-t", "raw", "-S"),
        "files": ("digests", *paths),
        "reach": ("ways", *reached_from(topology, node)),
        "registry": ("code by tls", *_registry(topology)),
        "stack": ("stack",),
    }
    return asked | dict(_of_programs(topology, node))


def _registry(topology: Topology) -> Question:
    """Where it is, and whose certificates to trust there."""
    host, _, port = topology.registry.partition(":")
    other, place = topology.settings.registry, (host, port or "443", "/v2/")
    if other is not None and other.ca is None:
        return place
    return (*place, f"/etc/docker/certs.d/{topology.registry}/ca.crt")


def _of_programs(topology: Topology, node: str) -> Iterator[tuple[str, Question]]:
    settings, address = topology.settings, topology.address(node)
    servers = {"mysql": settings.mysql, "cassandra": settings.cassandra}
    if folders := [volume_folder(name) for name, nodes in servers.items() if node in nodes]:
        yield "volumes", ("volumes", *folders)
    if node == topology.builder:
        yield "release", ("read", CURRENT)
        yield "restore", ("read", RESTORING)
    if node == topology.builder and settings.registry is None:
        yield "certificate", ("certificate", *_registry(topology)[:2])
    # Also where lab.yml has none: in a stack nginx runs on other nodes.
    yield "nginx", ("code", address, str(WEB_PORT), "/nginx_health")
    if node in settings.mysql:
        yield "group", ("page", address, str(MYSQL_ROLE_PORT), "/state")
    if node in settings.cassandra:
        yield "cql", ("cql", address)
    if node in asker(topology):
        secret = f"{secrets_folder('django')}/cassandra_django_password"
        # Its own first: a login is work for whoever is asked.
        ring = tuple(sorted(settings.cassandra, key=lambda one: one != node))
        yield "cassandra", ("posts", "django", secret, POSTS, *topology.addresses(ring))
    if node in settings.balancers:
        yield "haproxy", ("code", *HAPROXY_ALIVE)
        held = ("ip", "-o", "-4", "address", "show", "to", topology.virtual_address)
        yield "held", ("run", *held)


def inside(topology: Topology, node: str) -> dict[str, dict[str, Question]]:
    """Service to question to what is asked, of each of the service's containers on a node."""
    address = topology.address(node)
    through: Question = ("through", address, str(WEB_PORT), "/uwsgi_health")
    return {
        "django": DJANGO,
        "nginx": {"through": through, "upstream": ("upstream",)},
        "allinone": {**DJANGO, "through": through},
        "mysql": {
            "mysql": ("mysql", MYSQL),
            "account": ("account", address, str(MYSQL_ROLE_PORT)),
        },
        "cassandra": {"java": ("out of memory", memory.JAVA)},
        "haproxy": {"servers": ("statistics",)},
    }


def asker(topology: Topology) -> tuple[str, ...]:
    """The node that signs in to Cassandra as its Django does, if there is one.

    One is enough: each asks the same ring with the same file, which is compared on all of them, and
    a password is checked slowly, on purpose.
    """
    return django_nodes(topology)[:1]


def django_nodes(topology: Topology) -> tuple[str, ...]:
    return tuple(dict.fromkeys(service.django for service in topology.web))


def reached_from(topology: Topology, node: str) -> tuple[str, ...]:
    """Each HOST:PORT that somebody on the node has to reach on another one."""
    return tuple(
        f"{topology.address(target)}:{port}"
        for target, port, sources in links(topology)
        if node in sources
    )


def links(topology: Topology) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Target node, port, and the other nodes on which somebody has to reach it."""
    settings = topology.settings

    def others(nodes: Iterable[str], target: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(node for node in nodes if node != target))

    for node in topology.nginx_nodes:
        yield node, WEB_PORT, others(settings.balancers, node)
    for service in topology.web:
        if service.django != service.nginx:
            yield service.django, UWSGI_PORT, (service.nginx,)
    for node in settings.mysql:
        yield node, MYSQL_ROLE_PORT, others(settings.balancers, node)
        yield node, MYSQL_GROUP_PORT, others(settings.mysql, node)
    for node in settings.cassandra:
        yield node, CASSANDRA_PORT, others(django_nodes(topology), node)
        yield node, CASSANDRA_RING_PORT, others(settings.cassandra, node)


def paths(plans: Iterable[Plan]) -> tuple[str, ...]:
    return tuple(sorted({file.path for plan in plans for file in plan.all_files}))
