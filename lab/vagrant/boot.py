"""Boots the machines: Vagrant, and how SSH reaches them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from lab.config.paths import FOLDER, REPORTS, SSH_CONFIG
from lab.context import Lab
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.machines import ownership
from lab.secrets.private import write

PROVISIONED = "/etc/lab/provisioned"
BUILDER_CACHE = "/var/cache/lab/builder"

# Vagrant dies of a folder with an é where the locale's characters are ASCII's alone.
ENVIRONMENT = {"VAGRANT_NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
# What of Vagrant's output tells a user how far it is.
MILESTONES = re.compile(
    r"==> (\w+): (Creating|Starting container|Machine booted|Running provisioner: node)"
)
# What ours says meanwhile; all else that begins so is why it ends.
OWN_MILESTONES = re.compile(r"lab: ((?:making|building|replacing) .*)")


def boot(lab: Lab) -> None:
    """Brings up every machine that does not answer; nothing if all do.

    Raises LabError where a machine is not the one that lab.yml describes.
    """
    _refuse_removed(lab)
    _refuse_remade(lab)
    if _all_answer(lab):
        say("lab", "all nodes answer")
        return
    say("lab", "vagrant up")
    for line in _vagrant("up"):
        if milestone := MILESTONES.match(line):
            say(milestone[1], line.split(": ", 1)[1].rstrip("."))
        elif own := OWN_MILESTONES.match(line):
            say("lab", own[1])
    write(SSH_CONFIG, ssh_config(_vagrant("ssh-config")))
    lab.reconnect()
    say("lab", f"{len(lab.nodes)} nodes are up")


def ssh_config(lines: Iterable[str]) -> str:
    """Vagrant's settings for SSH, without what Ruby or Vagrant may have to warn of.

    Vagrant quotes the key's path only if it has a blank; ssh takes more amiss.
    """
    settings = (line for line in lines if line.startswith(("Host ", "  ")))
    quoted = (re.sub(r'^(\s+IdentityFile )([^"].*)$', r'\1"\2"', line) for line in settings)
    return "\n".join(quoted) + "\n"


def _refuse_removed(lab: Lab) -> None:
    """Vagrant can't reach a machine that lab.yml no longer names, and it would go on running."""
    machines = FOLDER / ".vagrant" / "machines"
    known = {path.parent.parent.name for path in machines.glob("*/*/id")}
    if removed := sorted(known - set(lab.topology.names)):
        raise LabError(
            f"lab.yml: nodes: {removed[0]} is booted and not named any more: put it back, take it"
            " out of mysql, cassandra, balancers and web, run `make up` (it hands its data over),"
            f" `vagrant destroy -f {removed[0]}`, and only then take it out of nodes"
        )


def _refuse_remade(lab: Lab) -> None:
    """What a container was made with can't be changed while it lives (docker provider).

    Names one node at a time, and none while another is away: its data come from the others.
    Another folder's are Vagrant's to refuse.
    """
    if ownership.foreign(lab.topology.name):
        return
    command = (FOLDER / "provision" / "node-digest", "image")
    tag = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    made = {
        node.name: _made_with(f"{lab.topology.name}-{node.name}") for node in lab.topology.nodes
    }
    if None in made.values():
        return
    hosts = sorted(f"{node.name}:{node.address}" for node in lab.topology.nodes)
    for node in lab.topology.nodes:
        wanted = {
            "memory": node.memory,
            "image": f"lab-node:{tag}",
            "builder": node.name == lab.topology.builder,
            "address": node.address,
            "hosts": hosts,
        }
        differing = [key for key, value in (made[node.name] or {}).items() if value != wanted[key]]
        if differing:
            raise LabError(
                f"{node.name} was made with another {' and '.join(differing)} than is wanted now:"
                f" `vagrant destroy -f {node.name}`, then `make up`; what it holds of the databases"
                " comes back from the other nodes. One node at a time"
            )


def _made_with(container: str) -> dict[str, Any] | None:
    """What differs between machines and stays as it was made; None: there is no such container."""
    try:
        found = subprocess.run(
            ("docker", "inspect", container), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    if found.returncode != 0:
        return None
    (made,) = json.loads(found.stdout)
    (network,) = made["NetworkSettings"]["Networks"].values()
    return {
        "memory": made["HostConfig"]["Memory"] // 2**20,
        "image": made["Config"]["Image"],
        "builder": any(mount["Destination"] == BUILDER_CACHE for mount in made["Mounts"]),
        "address": network["IPAMConfig"]["IPv4Address"],
        "hosts": sorted(made["HostConfig"]["ExtraHosts"]),
    }


def provision(lab: Lab) -> None:
    """Provisions the machines again where what they were provisioned with has changed."""
    command = (FOLDER / "provision" / "node-digest",)
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = together(
        {name: partial(node.attempt, "cat", PROVISIONED) for name, node in lab.nodes.items()}
    )
    if old := [name for name, (_, known, _) in found.items() if known != digest]:
        say("lab", f"vagrant provision {' '.join(old)}")
        for _ in _vagrant("provision", *old):
            pass


def _all_answer(lab: Lab) -> bool:
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


def _vagrant(*arguments: str) -> Iterator[str]:
    """Vagrant's output, line by line; all of it also goes to a report."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"vagrant-{arguments[0]}.log"
    lines: list[str] = []
    if shutil.which("vagrant") is None:
        raise LabError("vagrant: not found: run `make up`, which installs it")
    with (
        report.open("w") as log,
        subprocess.Popen(
            ("vagrant", *arguments),
            cwd=FOLDER,
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            lines.append(line.rstrip())
            yield lines[-1]
    if process.returncode != 0:
        if lines and lines[-1].startswith("lab: "):
            raise LabError(lines[-1].removeprefix("lab: "))
        last = "\n".join([line for line in lines if line][-6:])
        raise LabError(
            f"`vagrant {arguments[0]}` failed; all of it is in {report}; its end:\n{last}"
        )
