"""Lays static files where nginx serves them; rsyncs them where it shares no volume with Django."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.config.modes import MODES
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy.building import missing, rsync
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.plan.modes import web
from lab.plan.site import Site
from lab.release.releases import Release

VOLUME = f"/var/lib/docker/volumes/{web.STATIC_VOLUME.name}/_data"
# Whether a volume has every file of a set, and its manifest, which come from webapp_static.
COMPLETE = """\
cd "$0" && [ -s "manifests/$1.json" ] || exit 1
while IFS= read -r file || [ -n "$file" ]; do [ -s "static_root/$file" ] || exit 1; done <"sets/$1"
"""


def serving(lab: Lab) -> tuple[str, ...]:
    """The static sets whose files pages name now: the current release's, and what nodes were told
    by a task that did not end, or that changed one node alone."""
    current = lab.current_release()
    told = together({name: partial(_told, node) for name, node in lab.nodes.items()})
    sets = {current.tags["webapp_static"] if current else "", *told.values()}
    return tuple(sorted(sets - {""}))


def _told(node: Node) -> str:
    status, name, _ = node.attempt("cat", web.STATIC_SET_FILE)
    return name.strip() if status == 0 else ""


def ahead(
    lab: Lab, release: Release, service: WebService, serving: tuple[str, ...]
) -> frozenset[str]:
    """Brings a release's static files to the service's nginx, beside those that are there.

    Returns the names that pages may use now, and for which this set has no file.
    """
    lacking = lay(lab, lab.nodes[service.django], lab.site(release), serving)
    if MODES[service.mode].static_folder:
        carry(lab, service, prune=False)
    return lacking


def lay(lab: Lab, node: Node, site: Site, serving: tuple[str, ...]) -> frozenset[str]:
    """Lays a release's static set into the node's volume; returns as ahead does.

    Those that pages name now are laid, too, where the volume is a new one: a browser may ask any
    nginx for a file that another node's page named.
    """
    own = web.static_set(site)
    if laid(node, site, serving):
        return frozenset()
    volume = web.STATIC_VOLUME.name
    node.run("docker", "volume", "create", "--label", "lab.disposable=yes", volume)
    for name in serving:
        if name == own or _complete(node, name):
            continue
        if missing(lab, {"webapp_static": name}):
            say(node.name, f"pages may name files of static set {name}, which no registry has")
        else:
            node.run(*web.publish_static(site, name, serving))
    return frozenset(node.run(*web.publish_static(site, own, serving)).splitlines())


def laid(node: Node, site: Site, serving: tuple[str, ...]) -> bool:
    """Whether the node's volume has the release's static set, and pages name no other."""
    own = web.static_set(site)
    return serving == (own,) and _complete(node, own)


def _complete(node: Node, name: str) -> bool:
    return node.attempt("sh", "-c", COMPLETE, VOLUME, name)[0] == 0


def prune(lab: Lab, services: tuple[WebService, ...]) -> None:
    """Removes the files of sets that are gone, once every page names others, from each nginx that
    has them rsynced."""
    copied = [service for service in services if MODES[service.mode].static_folder]
    together({service.nginx: partial(carry, lab, service) for service in copied})


def carry(lab: Lab, service: WebService, *, prune: bool = True) -> None:
    """Copies the files in the Django node's volume to the nginx node.

    prune: those that are gone there go here, too, which no page may name any more. They go by way
    of this machine, which reaches both nodes; the nodes don't log in to each other.
    """
    folder = MODES[service.mode].static_folder
    target = f"{service.nginx}:{folder}/"
    with TemporaryDirectory() as here:
        copy = f"{Path(here)}/"
        rsync("--rsync-path=sudo rsync", f"{service.django}:{VOLUME}/static_root/", copy)
        there = f"--rsync-path=sudo mkdir -p {folder} && sudo rsync"
        changes = rsync(there, "--chown=root:root", copy, target, prune=prune)
    say(service.nginx, f"static files: {'rsynced' if changes else 'unchanged'}")
