"""Boots the machines: Vagrant, and how SSH reaches them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial

from lab import remote
from lab.errors import LabError
from lab.private import write
from lab.progress import say, together
from lab.remote import Node
from lab.tasks.context import Lab
from lab.topology import FOLDER

REPORTS = FOLDER / ".lab" / "reports"

# What of Vagrant's output tells a user how far it is.
MILESTONES = re.compile(
    r"==> (\w+): (Creating|Starting container|Machine booted|Running provisioner: node)"
)


def boot(lab: Lab) -> None:
    """Brings up every machine that does not answer; nothing if all do.

    Raises LabError where a machine is not the one that lab.yml describes.
    """
    _refuse_removed(lab)
    if _all_answer(lab):
        say("lab", "all nodes answer")
        return
    say("lab", "vagrant up")
    for line in _vagrant("up"):
        if milestone := MILESTONES.match(line):
            say(milestone[1], line.split(": ", 1)[1].rstrip("."))
        elif line.startswith("lab: "):
            say("lab", line.removeprefix("lab: "))
    write(remote.SSH_CONFIG, "\n".join(_vagrant("ssh-config")))
    lab.reconnect()
    say("lab", f"{len(lab.nodes)} nodes are up")


def _refuse_removed(lab: Lab) -> None:
    """Vagrant can't reach a machine that lab.yml no longer names, and it would go on running."""
    machines = FOLDER / ".vagrant" / "machines"
    known = {path.parent.parent.name for path in machines.glob("*/*/id")}
    if removed := sorted(known - set(lab.topology.names)):
        raise LabError(
            f"lab.yml: nodes: {removed[0]} is booted and not named any more: put it back,"
            f" `vagrant destroy -f {removed[0]}`, then take it out"
        )


def _all_answer(lab: Lab) -> bool:
    try:
        lab.require_route()
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
            env=os.environ | {"VAGRANT_NO_COLOR": "1"},
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
        last = "\n".join([line for line in lines if line][-6:])
        raise LabError(
            f"`vagrant {arguments[0]}` failed; all of it is in {report}; its end:\n{last}"
        )
