"""The faults that a drill may inject, as data: what is done to whom, and what takes it back. Pure.

What takes a fault back may be run twice, and also if the fault never came to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from textwrap import dedent

from lab.drills.power import power


@dataclass(frozen=True, slots=True)
class Target:
    """Who is hit. container: empty if the node as a whole is meant; cpus: what it may use; peers:
    whom the node is cut off from; machine: what the node is called by its provider."""

    node: str
    container: str = ""
    cpus: float = 0.0
    peers: tuple[str, ...] = ()
    provider: str = ""
    machine: str = ""

    def __str__(self) -> str:
        return f"{self.container} on {self.node}" if self.container else self.node


@dataclass(frozen=True, slots=True)
class Action:
    """A command that does a fault or takes it back. node: empty for this machine."""

    node: str
    argv: tuple[str, ...]


Make = Callable[[Target], tuple[Action, ...]]


def _nothing(_: Target) -> tuple[Action, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Fault:
    """role: who is hit, as lab/drills/targets.py finds it out; what: in the past tense; prepare:
    what has to be there before it can be injected; restore: what takes that back; outage: nobody
    can be served before it is taken back."""

    name: str
    role: str
    what: str
    do: Make
    undo: Make
    prepare: Make = _nothing
    restore: Make = _nothing
    outage: bool = False


def shell(target: Target, script: str, *arguments: str) -> tuple[Action, ...]:
    argv = ("bash", "-euc", dedent(script), "bash", *arguments)
    return (Action(target.node, argv),)


def _on_container(script: str) -> Make:
    return lambda target: shell(target, script, target.container)


# A container that nobody stopped is not stopped by its start, nor one that nobody paused.
REVIVE = _on_container('docker unpause "$1" 2> /dev/null || true; docker start "$1"')

OF_CONTAINERS: Mapping[str, tuple[str, Make, Make]] = {
    # Docker starts nothing again that it was told to kill; what dies by itself, it does.
    "killed": ("was killed", _on_container('docker kill "$1"'), REVIVE),
    "crashed": (
        "crashed",
        _on_container('kill -KILL "$(docker inspect --format \'{{.State.Pid}}\' "$1")"'),
        REVIVE,
    ),
    "paused": ("was paused", _on_container('docker pause "$1"'), REVIVE),
    "stopped": ("was stopped", _on_container('docker stop "$1"'), REVIVE),
    "slow": (
        "got a twentieth of a core",
        _on_container('docker update --cpus 0.05 "$1"'),
        lambda target: shell(
            target, 'docker update --cpus "$2" "$1"', target.container, f"{target.cpus:g}"
        ),
    ),
}


def _small_disk(action: str) -> Make:
    """provision/node/sbin/lab-small-disk"""
    return lambda target: (Action(target.node, ("lab-small-disk", action, target.container)),)


# The primary hands its role over when it is stopped for its other disk, and gets it back.
BECOME_PRIMARY = (
    'docker exec "$1" mysql -uroot'
    " --execute 'SELECT group_replication_set_as_primary(@@server_uuid)'"
)
DISK_FULL = ("had its disk filled", _small_disk("fill"), _small_disk("empty"))
ON_SMALL_DISK, OFF_SMALL_DISK = _small_disk("give"), _small_disk("take")
DISK_ROLES: Mapping[str, Make] = {
    "mysql-primary": lambda target: (
        *ON_SMALL_DISK(target),
        *_on_container(BECOME_PRIMARY)(target),
    ),
    "mysql-replica": ON_SMALL_DISK,
    "cassandra": ON_SMALL_DISK,
}

CHAIN = "LAB-DRILL"
# Before anything else looks at a packet; forwarded ones pass PREROUTING alone.
MEND = f"""
for hook in PREROUTING OUTPUT; do
  while iptables -w -t raw -D $hook -j {CHAIN} 2> /dev/null; do :; done
done
iptables -w -t raw -F {CHAIN} 2> /dev/null && iptables -w -t raw -X {CHAIN} || true
"""


def _cut(*directions: str, rule: str = "") -> Make:
    """directions: -s for what comes from the peers, -d for what goes to them."""
    drops = "\n".join(
        f'  iptables -w -t raw -A {CHAIN} {direction} "$peer" {rule} -j DROP'
        for direction in directions
    )
    script = f"""{MEND}
iptables -w -t raw -N {CHAIN}
for peer; do
{drops}
done
for hook in PREROUTING OUTPUT; do iptables -w -t raw -I $hook -j {CHAIN}; done
"""
    return lambda target: shell(target, script, *target.peers)


def _mend(target: Target) -> tuple[Action, ...]:
    return shell(target, MEND)


LOSS = 0.2
OF_NETWORKS: Mapping[str, tuple[str, Make, Make]] = {
    "cut-off": ("was cut off from the other nodes", _cut("-s", "-d"), _mend),
    "deaf": ("heard nothing from the other nodes", _cut("-s"), _mend),
    "mute": ("was not heard by the other nodes", _cut("-d"), _mend),
    "lossy": (
        f"lost {LOSS:.0%} of the packets from and to the other nodes",
        _cut("-s", "-d", rule=f"-m statistic --mode random --probability {LOSS}"),
        _mend,
    ),
}

# Takes memory until hardly any of the node's is left, and is the first that the kernel kills.
HOG_UNIT, HOG_DONE = "lab-hog", "/run/lab-hog"
HOG = f"""
import os, re, signal
open("/proc/self/oom_score_adj", "w").write("1000")
C = "/sys/fs/cgroup"
def read(*paths):
    return next((open(path).read() for path in paths if os.path.exists(path)), "")
def known(name):
    return int(re.search("^" + name + ": *([0-9]+)", read("/proc/meminfo"), re.M)[1]) * 1024
limit = read(C + "/memory/memory.limit_in_bytes", C + "/memory.max").strip()
limit = min(int(limit), known("MemTotal")) if limit.isdigit() else known("MemTotal")
def free():
    usage = read(C + "/memory/memory.usage_in_bytes", C + "/memory.current")
    if not usage:
        return known("MemAvailable")
    stat = read(C + "/memory/memory.stat", C + "/memory.stat")
    return limit - int(usage) + int(re.findall("^(?:total_)?inactive_file (.*)", stat, re.M)[-1])
taken = []
while free() > limit * 0.025:
    taken.append(b"x" * 4 * 2**20)
open("{HOG_DONE}", "w").close()
signal.pause()
"""
# It is killed as soon as somebody needs the memory, and then takes it again.
TAKE_MEMORY = f"""
rm -f {HOG_DONE}
systemd-run --unit={HOG_UNIT} --property=Restart=always --property=StartLimitIntervalSec=0 \
  --quiet --collect python3 -c "$1"
for try in {{1..300}}; do [[ ! -e {HOG_DONE} ]] || exit 0; sleep 0.1; done
echo "the memory was not taken within 30 s" >&2
exit 1
"""
# Not the last command's status: whether it runs no more.
GIVE_MEMORY = f"systemctl stop {HOG_UNIT} 2> /dev/null || ! systemctl is-active {HOG_UNIT}"


def _cut_power(target: Target) -> tuple[Action, ...]:
    return (Action("", power(target.provider, target.machine).cut),)


def _freeze(target: Target) -> tuple[Action, ...]:
    return (Action("", power(target.provider, target.machine).freeze),)


def _thaw(target: Target) -> tuple[Action, ...]:
    return (Action("", power(target.provider, target.machine).thaw),)


OF_NODES: Mapping[str, tuple[str, Make, Make]] = {
    # As a person would bring it up again, whatever else is down.
    "off": ("lost power", _cut_power, lambda _: (Action("", ("vagrant", "up")),)),
    "frozen": ("froze", _freeze, _thaw),
    "docker-restarted": (
        "had its Docker daemon restarted",
        lambda target: shell(target, "systemctl restart docker"),
        lambda target: shell(target, "systemctl start docker"),
    ),
    "memory-short": (
        "ran short of memory",
        lambda target: shell(target, TAKE_MEMORY, HOG),
        lambda target: shell(target, GIVE_MEMORY),
    ),
}

# What a machine's provider does, and nobody else can.
OF_POWER = (_cut_power, _freeze)

# What a role is called in a fault's name, to the kinds of faults that hit it.
CONTAINER_ROLES = (
    "balancer",
    "nginx",
    "django",
    "mysql-primary",
    "mysql-replica",
    "cassandra",
)
NETWORK_ROLES = ("balancer", "nginx", "mysql-primary", "mysql-replica", "cassandra")
EVERY_NODE = "every-node"
SMALL_ROLES = ("keepalived", "registry")


def faults(nodes: Iterable[str]) -> dict[str, Fault]:
    """By name. A whole node is a role of its own."""
    every = [
        Fault(f"{role}-{kind}", role, *made)
        for role in CONTAINER_ROLES
        for kind, made in OF_CONTAINERS.items()
    ]
    every += [
        Fault(f"{role}-{kind}", role, *made)
        for role in NETWORK_ROLES
        for kind, made in OF_NETWORKS.items()
    ]
    every += [
        Fault(f"{role}-disk-full", role, *DISK_FULL, prepare, OFF_SMALL_DISK)
        for role, prepare in DISK_ROLES.items()
    ]
    every += [Fault(f"{role}-killed", role, *OF_CONTAINERS["killed"]) for role in SMALL_ROLES]
    every += [
        Fault(f"{node}-{kind}", node, *made) for node in nodes for kind, made in OF_NODES.items()
    ]
    every.append(Fault("power-cut", EVERY_NODE, *OF_NODES["off"], outage=True))
    return {fault.name: fault for fault in every}
