"""Makes hosts of one's own nodes of the lab, and leaves them again as they were."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from lab.config.paths import FOLDER
from lab.config.ports import WEB_PORT
from lab.config.topology import Topology
from lab.engine.progress import go_on, say, together
from lab.errors import LabError
from lab.hosts import judge, kept, way
from lab.hosts.facts import Facts, facts
from lab.hosts.judge import Self
from lab.hosts.way import Host, Root
from lab.machines import made

PROVISION = FOLDER / "provision"
AUTHORITIES = "/usr/local/share/ca-certificates"
# What the lab makes on a host, and would overwrite there.
PATHS = (
    *("/etc/lab", "/var/lib/lab", "/var/cache/lab", "/home/dock", "/usr/local/lib/lab"),
    *("/usr/local/sbin/lab-*", "/etc/sysctl.d/lab.conf", "/etc/systemd/system/lab-*.service"),
    *("/etc/systemd/system/docker.service.d/lab-name.conf", "/etc/sudoers.d/lab-tasks"),
    f"{AUTHORITIES}/lab-*.crt",
)
REMOVE = ("bash", "/var/lib/lab/brought/brought", "remove")
# Whoever is cut off leaves the address for no longer.
HELD_SECONDS = 20

Answers = tuple[dict[str, Facts], list[str]]


def look(topology: Topology, asked: Iterable[Host]) -> Answers:
    """What hosts are and have, by node, and why others did not tell."""
    packages = " ".join((*(PROVISION / "node" / "packages").read_text().split(), "sudo"))
    paths = (*PATHS, f"/etc/docker/certs.d/{topology.registry}")
    asking: dict[str, Callable[[], Facts | str]] = {}
    for host in asked:
        peers = " ".join(topology.address(name) for name in topology.names if name != host.node)
        command = way.script("look.sh", packages, " ".join(paths), peers)
        asking[host.node] = partial(_look, host, command)
    answers = together(asking)
    found = {node: answer for node, answer in answers.items() if isinstance(answer, Facts)}
    return found, [answer for answer in answers.values() if isinstance(answer, str)]


def _look(host: Host, command: tuple[str, ...]) -> Facts | str:
    try:
        told = way.ask(host, command)
    except LabError as error:
        return str(error)
    if told_facts := facts(told):
        return kept.as_seen_here(told_facts)
    return f"{host}: its answer is cut off: see `{host.typed}`"


def require(lines: Iterable[str]) -> None:
    """Raises LabError with all of these lines, if there are any."""
    if told := "\n".join(lines):
        raise LabError(told)


def roots(asked: Iterable[Host], found: Mapping[str, Facts]) -> dict[str, Root]:
    """How to be root on each host. sudo's password is asked for once, and kept nowhere.

    Raises LabError where it is asked for and nobody is there, or where it is not the right one.
    """
    asked = tuple(asked)
    asking = [host for host in asked if found[host.node].sudo == "asks"]
    password = ""
    if asking:
        names = ", ".join(map(str, asking))
        if not sys.stdin.isatty():
            raise LabError(
                f"{names}: sudo asks for a password, and here is no terminal to ask you at: run"
                " this at one, or let that user use sudo without"
            )
        password = getpass.getpass(f"Password of sudo on {names}: ")
    known = {host.node: Root(found[host.node].sudo, password) for host in asked}
    tried = together({h.node: partial(_refused, h, known[h.node]) for h in asking})
    require(line for line in tried.values() if line)
    return known


def _refused(host: Host, root: Root) -> str:
    try:
        way.ask(host, ("true",), root)
    except LabError as error:
        last = str(error).rpartition("|")[2].strip()
        return f"{host}: sudo does not take that password, or lets that user do nothing ({last})"
    return ""


def _require_no_docker(
    topology: Topology, found: Mapping[str, Facts], known: Mapping[str, Root]
) -> None:
    # Also where none is installed: its data may have been left.
    asked = [h for h in kept.named(topology) if not found[h.node].owner]
    told = together(
        {h.node: partial(way.ask, h, way.script("docker.sh"), known[h.node]) for h in asked}
    )
    require(line for node in told for line in judge.of_docker(topology, node, told[node]))


def require_same_hosts(topology: Topology, own: Self, found: Mapping[str, Facts]) -> None:
    """Raises LabError where lab.yml leads elsewhere than to the hosts that the lab is on."""
    try:
        before = kept.known(topology.name)
    except LabError:
        return
    for host in before:
        if host.node not in topology.names:
            raise LabError(
                f"lab.yml: nodes: {host.node} is a node of the lab and not named any more: put it"
                " back, take it out of mysql, cassandra, balancers and web, run `make up` (it hands"
                f" its data over), `{host.typed} sudo {' '.join(REMOVE)}`, and only then take it"
                f" out of nodes and of .lab/{made.FILE.name}"
            )
        wanted = next(one for one in kept.named(topology) if one.node == host.node)
        if wanted.known_as != host.known_as and not own.has(found[host.node].owner):
            raise LabError(
                f"lab.yml: nodes.{host.node}.ssh: {wanted.target!r} is another host than the lab's"
                f" ({host.target}): put that back, or `make destroy` first"
            )


def require_moving_address(
    topology: Topology, found: Mapping[str, Facts], known: Mapping[str, Root]
) -> None:
    """Has each balancer hold the virtual address for a moment, and the other one ask for it.

    Raises LabError if it is somebody's already, or if none answers: there it can't move.
    """
    first, second = (_of(topology, name) for name in topology.settings.balancers)
    address = topology.virtual_address
    ask = way.script("ask-address.sh", address, str(WEB_PORT))
    if way.ask(first, ask).strip() != "silent":
        raise LabError(
            f"lab.yml: virtual_host: {topology.settings.virtual_host}: {address} is somebody's"
            " already: choose another"
        )
    for holder, asker in ((first, second), (second, first)):
        say(holder.node, f"has {address} for a moment")
        own = topology.address(holder.node)
        hold = way.script("hold-address.sh", own, address, str(HELD_SECONDS))
        with way.standing(holder, hold, known[holder.node]) as said:
            if said != "held":
                raise LabError(f"{holder}: can't take {address} for a moment ({said or 'nothing'})")
            answer = way.ask(asker, ask).strip()
        if answer == "silent":
            cloud = found[holder.node].cloud
            raise LabError(judge.of_the_address(topology, holder.node, asker.node, cloud))


def _of(topology: Topology, name: str) -> Host:
    return next(host for host in kept.named(topology) if host.node == name)


def bring(topology: Topology, digest: str, *, replace: bool) -> None:
    """Makes every host a node, or sees that it is one. Raises LabError, before anything is changed,
    with a line for each reason why one can't be.

    digest: what they are provisioned with; replace: another lab's hosts may be taken from it.
    """
    kept.require_route(topology)
    own, asked = kept.itself(topology), kept.named(topology)
    say("lab", f"looking at {len(asked)} hosts")
    found, silent = look(topology, asked)
    require(
        [
            *silent,
            *judge.refusals(topology, found, own, replace=replace),
            *judge.of_architectures(topology, found),
        ]
    )
    require_same_hosts(topology, own, found)
    known = roots(asked, found)
    _require_no_docker(topology, found, known)
    others = [host for host in asked if (o := found[host.node].owner) and not own.has(o)]
    if others:
        say("lab", f"replacing the lab of {', '.join(map(str, others))}")
        _remove(others, found, known)
        found, silent = look(topology, asked)
        require([*silent, *judge.refusals(topology, found, own)])
    if not any(facts.owner for facts in found.values()):
        require_moving_address(topology, found, known)
    kept.write_down(topology, found)
    together({h.node: partial(_provision, topology, h, known[h.node], digest) for h in asked})


def again(topology: Topology, nodes: Iterable[str], digest: str) -> None:
    """Provisions nodes with what has changed."""
    asked = [host for host in kept.named(topology) if host.node in tuple(nodes)]
    found, silent = look(topology, asked)
    require([*silent, *judge.refusals(topology, found, kept.itself(topology))])
    known = roots(asked, found)
    together({h.node: partial(_provision, topology, h, known[h.node], digest) for h in asked})


def _provision(topology: Topology, host: Host, root: Root, digest: str) -> None:
    go_on()
    own = kept.itself(topology)
    environment = {
        "LAB_ADDRESS": topology.address(host.node),
        "LAB_HOSTS": ",".join(f"{one.address}={one.name}" for one in topology.nodes),
        "LAB_NODE": host.node,
        "LAB_PROVISION_DIGEST": digest,
    }
    assigned = tuple(f"{name}={value}" for name, value in environment.items())
    bringing = way.script("bring.sh", own.name, own.folder, own.machine, own.key)
    say(host.node, "provisioning")
    way.run(host, ("env", *assigned, *bringing), root, _archive(), partial(say, host.node))
    say(host.node, "provisioned")


def _archive() -> bytes:
    """What bring.sh takes. One transformation is of all names, wherever it stands."""
    authorities = sorted(path.name for path in _authorities())
    command = (
        *("tar", "--create", "--exclude-from", str(PROVISION / "left-out")),
        *("--transform", "s,^node$,lab-node,", "--transform", "s,^node/,lab-node/,"),
        # A host's own of that name stays.
        *("--transform", "s,^[^/]*[.]crt$,lab-authorities/lab-&,"),
        *("--directory", str(PROVISION), "node", "node.sh"),
        *("--directory", str(kept.KEY.parent), f"{kept.KEY.name}.pub"),
        *(("--directory", AUTHORITIES, *authorities) if authorities else ()),
    )
    return subprocess.run(command, check=True, capture_output=True).stdout


def _authorities() -> Iterable[Path]:
    return Path(AUTHORITIES).glob("*.crt")


def remove(topology: Topology) -> None:
    """Takes from the lab's hosts what it brought, and nothing else.

    Raises LabError, once all others are done, with a line for each host of which it could not be
    taken: what leads there is kept.
    """
    own = kept.itself(topology)
    try:
        asked = kept.known(topology.name)
    except LabError:
        asked = kept.named(topology)
    found, silent = look(topology, asked)
    foreign = [
        f"{host}: {judge.of_another_lab(owner)}"
        for host in asked
        if host.node in found and (owner := found[host.node].owner) and not own.has(owner)
    ]
    require(foreign)
    left = [host for host in asked if host.node in found and _has_some(found[host.node])]
    _remove(left, found, roots(left, found))
    require(
        f"{line}; what it has of the lab stays until `make destroy` reaches it" for line in silent
    )


def _has_some(facts: Facts) -> bool:
    return facts.owner is not None or facts.begun


def _remove(asked: Iterable[Host], found: Mapping[str, Facts], known: Mapping[str, Root]) -> None:
    together({h.node: partial(_remove_from, h, found[h.node], known[h.node]) for h in asked})


def _remove_from(host: Host, facts: Facts, root: Root) -> None:
    owner = facts.owner
    whose = (owner.name, owner.folder, owner.machine, owner.since) if owner else ("", "", "", "")
    way.run(host, way.script("remove.sh", *whose), root, tell=partial(say, host.node))
