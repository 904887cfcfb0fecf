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
    name = lab.topology.name
    _remove_what_vagrant_does_not_know(name)
    for folder in ("secrets", "ca"):
        shutil.rmtree(FOLDER / ".lab" / folder, ignore_errors=True)
    for file in ("ssh_config", "login_key", "login_key.pub"):
        (FOLDER / ".lab" / file).unlink(missing_ok=True)
    say(
        "lab",
        f"removed; caches stay in Docker's volumes {name}-builder and {name}-registry",
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
