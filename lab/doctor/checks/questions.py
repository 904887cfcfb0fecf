"""The commands that each node is asked, as data for lab-examine (provision/node/lab_node).

None of them changes anything, but for the log lines of those who are asked.
"""

from __future__ import annotations

import shlex
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
from lab.doctor.checks.limits import CONTAINERS, Limits
from lab.engine import memory
from lab.plan.records import Plan
from lab.plan.site import secrets_folder, volume_folder
from lab.release.releases import CURRENT

Argv = tuple[str, ...]

DISK_PATHS = ("/", "/var/lib/docker", "/var/tmp", "/tmp", "/run")
CGROUP = "/sys/fs/cgroup"
MEMORY = (
    *("grep", "-shE", "^([0-9]+|max)$|^(total_)?inactive_file |^Mem(Total|Available):"),
    *(f"{CGROUP}/memory/memory.limit_in_bytes", f"{CGROUP}/memory/memory.usage_in_bytes"),
    *(f"{CGROUP}/memory.max", f"{CGROUP}/memory.current"),
    *(f"{CGROUP}/memory/memory.stat", f"{CGROUP}/memory.stat", "/proc/meminfo"),
)
NAMES = 'for name; do echo "$name" $(getent ahostsv4 "$name" | head -n 1); done'
DAEMON = (
    "pid=$(systemctl show --property MainPID --value docker);"
    ' systemctl is-active docker; ps -o stat= -p "$pid"'
)

# Who was killed for memory: when, whose, and how many of the container's processes by now.
KILLED = f"""{memory.KILLS}{memory.EVENTS}
events 60 | while read -r time id; do echo "$time $id $(kills "$id")"; done
"""
JAVA = f"docker logs --since 60s cassandra 2>&1 | grep -o '{memory.JAVA}.*' | tail -n 1"

# Those who are asked have less time than their command has.
CURL = ("curl", "--silent", "--show-error")
STATUS = (*CURL, "--output", "/dev/null", "--write-out", "%{http_code}")

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
# The password goes by a pipe: it stands on no command line and in no environment.
ACCOUNT = """
password=$(</run/secrets/mysql_django_password)
mysql --defaults-extra-file=<(printf '[client]\\npassword=%s\\n' "$password") \\
  --host="$MYSQL_ADDRESS" --user=django --connect-timeout=2 --execute='SELECT 1' djangodb
"""
POSTS = (
    "SELECT month FROM posts_db.months WHERE username = ' ';"
    "SELECT id FROM posts_db.posts WHERE username = ' ' AND month = 0"
)

# uWSGI's status line for /uwsgi_health, then what /ready says, both asked in its own protocol; and
# why something is not ready, which only the log says.
DJANGO = """
import os, runpy, sys
theirs = runpy.run_path("/usr/local/lib/webapp/healthcheck.py")
for path, line in (("/uwsgi_health", 0), ("/ready", -1)):
    with theirs["connection"](os.environ["APP_UWSGI_SOCKET"]) as asked:
        asked.settimeout(float(sys.argv[1]) + 0.5)
        changed = {"PATH_INFO": path, "REQUEST_URI": path}
        asked.sendall(theirs["packet"](theirs["REQUEST"] | changed))
        print(asked.makefile("rb").read().decode().splitlines()[line], flush=True)
"""
DJANGO_AND_WHY = f"""
docker exec "$1" python3 -I -S -c '{DJANGO}' "$2"
status=$?
docker logs --since 8s "$1" 2>&1 | grep 'not ready: ' >&2
exit $status
"""
# The status through nginx to Django and, from nginx's log, why it was no other.
THROUGH = f"""
{shlex.join(STATUS)} --max-time "$3" "http://$2/uwsgi_health"
status=$?
docker logs --since 8s "$1" 2>&1 | grep -E '\\[(error|crit)\\]' | tail -n 1 >&2
exit $status
"""
# The address behind the name that nginx is told, or whether it may use the socket.
UPSTREAM = """
case $UWSGI_URI in
  unix:*) [[ -S ${UWSGI_URI#unix:} && -w ${UWSGI_URI#unix:} ]] ;;
  *) getent ahostsv4 "${UWSGI_URI%:*}" | head -n 1 ;;
esac
"""


def sh(script: str, *arguments: str) -> Argv:
    return ("bash", "-c", script, "bash", *arguments)


def in_container(name: str, *argv: str) -> Argv:
    return ("docker", "exec", name, *argv)


def commands(
    topology: Topology, node: str, paths: Iterable[str], limits: Limits = CONTAINERS
) -> dict[str, Argv]:
    """Question to command, of one node. paths: the files whose digests to tell."""
    status = (*STATUS, *_at_most(limits))
    asked = {
        "daemon": sh(DAEMON),
        "disk": ("df", "--block-size=1M", "--output=target,avail,pcent,ipcent", *DISK_PATHS),
        "memory": MEMORY,
        "killed": sh(KILLED),
        "names": sh(NAMES, *topology.names),
        "firewall": ("iptables", "-w", "2", "-t", "raw", "-S"),
        "files": ("sha256sum", *paths),
        "reach": ("lab-reach", *reached_from(topology, node)),
        "registry": (*status, *_trusting(topology), f"https://{topology.registry}/v2/"),
        "stack": ("docker", "service", "ls", "--format", "{{.Name}} {{.Replicas}}"),
    }
    return asked | dict(_of_programs(topology, node, limits))


def _at_most(limits: Limits) -> Argv:
    return ("--max-time", f"{limits.answer:g}")


def _trusting(topology: Topology) -> Argv:
    other = topology.settings.registry
    if other is not None and other.ca is None:
        return ()
    return ("--cacert", f"/etc/docker/certs.d/{topology.registry}/ca.crt")


def _of_programs(topology: Topology, node: str, limits: Limits) -> Iterator[tuple[str, Argv]]:
    settings, address, seconds = topology.settings, topology.address(node), f"{limits.answer:g}"
    status = (*STATUS, *_at_most(limits))
    servers = {"mysql": settings.mysql, "cassandra": settings.cassandra}
    if volumes := [volume_folder(name) for name, nodes in servers.items() if node in nodes]:
        yield "volumes", ("df", "--block-size=1M", "--output=file,target,size,avail", *volumes)
    if node == topology.builder:
        yield "release", ("cat", CURRENT)
        yield "restore", ("cat", RESTORING)
    if node == topology.builder and settings.registry is None:
        host, port = topology.registry.rsplit(":", 1)
        served = (
            f"import ssl; print(ssl.get_server_certificate(({host!r}, {port}), timeout={seconds}))"
        )
        yield "certificate", ("python3", "-c", served)
    # Also where lab.yml has none: in a stack nginx runs on other nodes.
    yield "nginx", (*status, f"http://{address}/nginx_health")
    if node in settings.mysql:
        yield "group", (*CURL, *_at_most(limits), f"http://{address}:{MYSQL_ROLE_PORT}/state")
        client = ("mysql", "-uroot", "--batch", "--skip-column-names", "--execute", MYSQL)
        yield "mysql", in_container("mysql", *client)
        yield "account", in_container("mysql", "bash", "-c", ACCOUNT)
    if node in settings.cassandra:
        yield "cql", sh(CQL, address, seconds)
        yield "java", sh(JAVA)
    if node in django_nodes(topology):
        secret = f"{secrets_folder('django')}/cassandra_django_password"
        ring = topology.addresses(settings.cassandra)
        yield "cassandra", ("lab-ask-cassandra", seconds, "django", secret, POSTS, *ring)
    if node in settings.balancers:
        yield "haproxy", (*status, "http://127.0.0.1:8404/")
        yield "held", ("ip", "-o", "-4", "address", "show", "to", topology.virtual_address)
        yield "servers", in_container("haproxy", "bash", "-c", SERVERS)


SERVERS = "socat -t 10 - UNIX-CONNECT:/run/haproxy/admin.sock <<< 'show stat'"
# OPTIONS (5) is answered by SUPPORTED (6) before any login (images/cassandra/bin/probe-cql).
CQL = f"""
exec 3<>"/dev/tcp/$1/{CASSANDRA_PORT}"
printf '\\x04\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00' >&3
answer=$(timeout "$2" od -An -tx1 -N5 <&3) || exit
[[ $answer == ' 84 00 00 00 06' ]]
"""


def inside(
    topology: Topology, node: str, limits: Limits = CONTAINERS
) -> dict[str, dict[str, Argv]]:
    """Service to question to command, for each of the service's containers on a node."""
    seconds = f"{limits.answer:g}"
    through = sh(THROUGH, "CONTAINER", topology.address(node), seconds)
    django = {"django": sh(DJANGO_AND_WHY, "CONTAINER", seconds)}
    upstream = in_container("CONTAINER", "bash", "-c", UPSTREAM)
    return {
        "django": django,
        "nginx": {"through": through, "upstream": upstream},
        "allinone": {**django, "through": through},
    }


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
