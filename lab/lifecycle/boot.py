"""Boots the machines and provisions them, by Vagrant; hosts of one's own are provisioned alone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from functools import partial

from lab.config.paths import FOLDER
from lab.config.topology import OWN_HOSTS
from lab.context import Lab
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.engine.waits import elapsed, note, work
from lab.errors import LabError
from lab.hosts import bring as bringing
from lab.machines import made, ssh_settings
from lab.machines.vagrant import vagrant

PROVISIONED = "/etc/lab/provisioned"

# What of Vagrant's output tells a user how far it is.
MILESTONES = re.compile(
    r"==> (\w+): (Creating|Starting container|Machine booted|Running provisioner: node)"
)
# What ours says meanwhile; all else that begins so is why it ends.
OWN_MILESTONES = re.compile(r"lab: ((?:making|building|loading|replacing|fetching) .*)")


def boot(lab: Lab) -> None:
    """Brings up every machine that does not answer; nothing if all do and are as lab.yml has them.

    Vagrant refuses where one is not (provision/machines.rb). Raises LabError with what it says, or
    with why a host of one's own can't be a node.
    """
    _require_same_provider(lab)
    if made_as_wanted(lab) and all_answer(lab):
        say("lab", "all nodes answer")
        return
    if lab.topology.own_hosts:
        _bring(lab)
    else:
        _vagrant_up(lab)
    lab.reconnect()
    say("lab", f"{len(lab.nodes)} nodes are up")


def _require_same_provider(lab: Lab) -> None:
    """Raises LabError where lab.yml wants other machines than the lab is on."""
    name, own = lab.topology.name, lab.topology.own_hosts
    if own and ssh_settings.known_to_vagrant():
        raise LabError(
            f"lab.yml: machines.provider: {OWN_HOSTS}: this folder has machines of Vagrant's:"
            " leave it out and `make destroy` first, or use another clone"
        )
    if not own and made.on_own_hosts(name):
        raise LabError(
            f"lab.yml: machines.provider: missing: the lab '{name}' is on hosts of your own: put"
            f" {OWN_HOSTS} back, or `make destroy` first"
        )


def _bring(lab: Lab) -> None:
    with work("lab", "hosts"):
        replace = os.environ.get("LAB_REPLACE") == "yes"
        bringing.bring(lab.topology, _node_digest().strip(), replace=replace)


def _vagrant_up(lab: Lab) -> None:
    say("lab", "vagrant up")
    with work("lab", "vagrant up"):
        _follow(vagrant("up"))
    with work("lab", "vagrant ssh-config"):
        ssh_settings.renew(lab.topology.names)


def _follow(lines: Iterable[str]) -> None:
    """Tells what of Vagrant's output is of interest, and notes how long each part of it took."""
    since: dict[str, tuple[str, float]] = {}
    for line in lines:
        if milestone := MILESTONES.match(line):
            node, said = milestone[1], line.split(": ", 1)[1].rstrip(".")
        elif own := OWN_MILESTONES.match(line):
            node, said = "lab", own[1]
        else:
            continue
        say(node, said)
        if node in since:
            note(node, *since[node], elapsed())
        since[node] = (said, elapsed())
    for node, (said, began) in since.items():
        note(node, said, began, elapsed())


def made_as_wanted(lab: Lab) -> bool:
    """Whether no machine has to be made, as far as this folder knows."""
    image = "" if lab.topology.own_hosts else _node_digest("image").strip()
    return made.as_wanted(lab.topology, image)


def provision(lab: Lab) -> None:
    """Provisions the machines again where what they were provisioned with has changed."""
    old = outdated(lab)
    if old and lab.topology.own_hosts:
        bringing.again(lab.topology, old, _node_digest().strip())
    elif old:
        say("lab", f"vagrant provision {' '.join(old)}")
        for _ in vagrant("provision", *old):
            pass


def outdated(lab: Lab) -> tuple[str, ...]:
    """The nodes that were provisioned with something else than would be used now."""
    digest = _node_digest()
    known = together(
        {name: partial(node.attempt, "cat", PROVISIONED) for name, node in lab.nodes.items()}
    )
    return tuple(name for name, (_, output, _) in known.items() if output != digest)


def _node_digest(*of: str) -> str:
    command = (str(FOLDER / "provision" / "node-digest"), *of)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def all_answer(lab: Lab) -> bool:
    try:
        lab.require_up()
        together({name: partial(_expect_address, lab, node) for name, node in lab.nodes.items()})
    except LabError:
        return False
    return True


def _expect_address(lab: Lab, node: Node) -> None:
    """SSH's settings may be those of an earlier lab on another subnet."""
    found = node.run("cat", "/etc/lab/address").strip()
    if found != lab.topology.address(node.name):
        raise LabError(f"{node.name}: has the address {found}")
    node.run("docker", "version", "--format", "{{.Server.Version}}")
