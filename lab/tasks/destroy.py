"""Removes the lab."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.progress import say
from lab.tasks.context import Lab
from lab.topology import FOLDER


def destroy(lab: Lab) -> None:
    """Removes nodes, network and secrets; the named volumes with the caches stay."""
    command = ("vagrant", "destroy", "--force", "--parallel")
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise LabError(f"vagrant destroy: {' '.join(last).removeprefix('lab: ')}")
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
    """This folder's nodes whose .vagrant is gone. A lab of the same name that stands in another
    folder is somebody's: it is left alone."""
    if shutil.which("docker") is None:
        return
    for container in _containers(name, FOLDER):
        subprocess.run(("docker", "rm", "--force", "--volumes", container), check=True)
    if _containers(name):
        raise LabError(f"the lab '{name}' of another folder is left alone: run this in its folder")
    subprocess.run(("docker", "network", "rm", name), capture_output=True, check=False)


def _containers(name: str, folder: Path | None = None) -> list[str]:
    """Ids of the nodes of a lab, of one folder or of any."""
    filters = [f"label=lab.name={name}"] + ([f"label=lab.folder={folder}"] if folder else [])
    command = ("docker", "ps", "--all", "--quiet", *(f"--filter={one}" for one in filters))
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
