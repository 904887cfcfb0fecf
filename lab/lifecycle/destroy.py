"""Removes the lab."""

from __future__ import annotations

import shutil
import subprocess

from lab.config.paths import FOLDER
from lab.config.topology import OWN_HOSTS
from lab.context import Lab
from lab.engine.progress import say
from lab.errors import LabError
from lab.hosts import bring
from lab.machines import made, ownership
from lab.machines.vagrant import vagrant


def destroy(lab: Lab) -> None:
    """Removes nodes, network and secrets; of containers the named volumes with the caches stay.

    Hosts of one's own stay as they were before.
    """
    name = lab.topology.name
    provider, volumes = _made(lab)
    if provider == OWN_HOSTS:
        bring.remove(lab.topology)
    else:
        _by_vagrant(name, provider)
    for folder in ("secrets", "ca"):
        shutil.rmtree(FOLDER / ".lab" / folder, ignore_errors=True)
    for file in ("ssh_config", "known_hosts", "login_key", "login_key.pub", made.FILE.name):
        (FOLDER / ".lab" / file).unlink(missing_ok=True)
    stay = f"; caches stay in Docker's volumes {' and '.join(volumes)}" if volumes else ""
    say("lab", f"removed{stay}")


def _by_vagrant(name: str, provider: str) -> None:
    if provider == "docker":
        ownership.require_own(name)
    # Not of virtual machines: two threads of vagrant-libvirt 0.11 may come to its autoload of
    # ProvisionerCleanup at once, and one of them dies of it.
    together = ("--parallel",) if provider == "docker" else ()
    for _ in vagrant("destroy", "--force", *together):
        pass
    if provider == "docker":
        _remove_what_vagrant_does_not_know(name)


def _made(lab: Lab) -> tuple[str, tuple[str, ...]]:
    """The provider of the lab's machines, and the volumes that outlive them."""
    try:
        machines = made.load(lab.topology.name)
    except LabError:
        if lab.topology.own_hosts:
            return OWN_HOSTS, ()
        # It may be one of containers whose .lab is lost.
        return "docker", ()
    return machines.provider, machines.volumes


def _remove_what_vagrant_does_not_know(name: str) -> None:
    """This folder's nodes whose .vagrant is gone, and the network that they were in."""
    if shutil.which("docker") is None:
        return
    for machine in ownership.of_this_folder(name):
        subprocess.run(("docker", "rm", "--force", "--volumes", machine.identity), check=True)
    listing = ("docker", "network", "ls", "--quiet", ownership.labelled(name))
    networks = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
    for network in networks:
        subprocess.run(("docker", "network", "rm", network), capture_output=True, check=False)
