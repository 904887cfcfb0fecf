"""Removes the lab."""

from __future__ import annotations

import shutil
import subprocess

from lab.progress import say
from lab.tasks.context import Lab
from lab.topology import FOLDER


def destroy(lab: Lab) -> None:
    """Removes nodes, network and secrets; the named volumes with the caches stay."""
    subprocess.run(
        ("vagrant", "destroy", "--force", "--parallel"),
        cwd=FOLDER,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    _remove_what_vagrant_does_not_know(lab.topology.name)
    for name in ("secrets", "ca"):
        shutil.rmtree(FOLDER / ".lab" / name, ignore_errors=True)
    for name in ("ssh_config", "login_key", "login_key.pub"):
        (FOLDER / ".lab" / name).unlink(missing_ok=True)
    say(
        "lab",
        "removed; caches stay in the volumes {0}-builder and {0}-registry".format(
            lab.topology.name
        ),
    )


def _remove_what_vagrant_does_not_know(name: str) -> None:
    """A lab of this name that another folder left, or whose .vagrant is gone."""
    if shutil.which("docker") is None:
        return
    found = subprocess.run(
        ("docker", "ps", "--all", "--quiet", "--filter", f"label=lab.name={name}"),
        capture_output=True,
        text=True,
        check=False,
    )
    for container in found.stdout.split():
        subprocess.run(
            ("docker", "rm", "--force", "--volumes", container), capture_output=True, check=True
        )
    subprocess.run(("docker", "network", "rm", name), capture_output=True, check=False)
