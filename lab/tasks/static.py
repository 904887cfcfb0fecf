"""Rsyncs the static files to an nginx that shares no volume with its Django."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from lab.modes import all_in_one, separate_hosts, web
from lab.progress import say
from lab.releases import Release
from lab.tasks.context import Lab
from lab.tasks.images import rsync
from lab.topology import WebService

SHARED = f"/var/lib/docker/volumes/{web.STATIC_VOLUME.name}/_data/static_root/"


def ahead(lab: Lab, release: Release, service: WebService) -> None:
    """Brings a release's static files to the service's nginx, beside those that are there."""
    node = lab.nodes[service.django]
    image = "webapp_allinone" if service.mode == all_in_one.NAME else "webapp_django"
    node.run("docker", "volume", "create", "--label", "lab.disposable=yes", web.STATIC_VOLUME.name)
    node.run(*web.publish_static(lab.site(release).images[image]))
    if service.mode == separate_hosts.NAME:
        carry(lab, service, prune=False)


def carry(lab: Lab, service: WebService, *, prune: bool = True) -> None:
    """Copies the files that the Django container laid into its volume to the nginx node.

    prune: those that are gone there go here, too. They go by way of this machine, which reaches
    both nodes; the nodes don't log in to each other.
    """
    target = f"{service.nginx}:{separate_hosts.STATIC_FOLDER}/"
    lab.nodes[service.nginx].run("install", "-d", separate_hosts.STATIC_FOLDER)
    with TemporaryDirectory() as folder:
        copy = f"{Path(folder)}/"
        rsync("--rsync-path=sudo rsync", f"{service.django}:{SHARED}", copy)
        changes = rsync("--rsync-path=sudo rsync", "--chown=root:root", copy, target, prune=prune)
    say(service.nginx, f"static files: {'rsynced' if changes else 'unchanged'}")
