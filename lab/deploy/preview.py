"""`fab plan`: what `fab up` or `fab deploy` would do and why. It looks, and changes no node."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from lab.balancers.balancers import taken_out
from lab.config.topology import WebService
from lab.context import NO_RELEASE, Lab
from lab.databases.initialize import initialized
from lab.deploy import building, static, swarm
from lab.deploy.changes import changes
from lab.deploy.publishing import source_release
from lab.deploy.services import nodes_of
from lab.engine.difference import Difference, difference, pulls
from lab.engine.observation import Observation
from lab.engine.progress import together
from lab.engine.steps import as_typed
from lab.errors import LabError
from lab.lifecycle import boot
from lab.plan import plans
from lab.plan.modes import overlay, web
from lab.plan.plans import ALL, BALANCER, REGISTRY, WEB
from lab.release.images import IMAGES, WEB_IMAGES
from lab.release.releases import Release

NOTHING = "nothing to do: every node is as lab.yml and the sources say"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What would be done, where, and the commands that do it, as they would be typed there."""

    where: str
    what: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What decides.

    remade: whether Vagrant may have machines to make; outdated: nodes to be provisioned again;
    release: that of the sources; current: the one that serves; missing: image to tag, which the
    registry lacks, or None while it can't be asked; serving: the static sets that pages name;
    files: each node that lacks static files, and the nginx they are rsynced to; left: each nginx
    that a killed task left drained.
    """

    remade: bool
    outdated: tuple[str, ...]
    release: Release
    current: Release | None
    missing: dict[str, str] | None
    initialized: bool
    in_swarm: bool
    nodes: dict[str, Difference]
    serving: tuple[str, ...]
    files: dict[str, str]
    left: frozenset[str]


def preview(
    lab: Lab, services: tuple[WebService, ...], *, whole: bool, other_mode: bool = False
) -> tuple[Announcement, ...]:
    """In about the order in which it would be done. Empty if there is nothing to do.

    whole: as `fab up` does, everything on all nodes; else the web services, as `fab deploy`.
    other_mode: as deploy has it.
    Raises LabError where no lab is up, and where `fab deploy` would.
    """
    lab.require_up()
    if whole and not boot.all_answer(lab):
        return (
            Announcement(
                "lab", f"{_bringer(lab)} bring up what does not answer: more can be told then"
            ),
        )
    if not whole:
        swarm.require_whole(lab, services)
    if other_mode and not lab.current_release():
        raise LabError(f"--mode: {NO_RELEASE}")
    return tuple(lines(lab, look(lab, services, whole=whole)))


def look(lab: Lab, services: tuple[WebService, ...], *, whole: bool) -> Seen:
    current = lab.current_release()
    # A first deploy starts all that the web needs.
    everything = whole or not current
    release = source_release(lab, current, tuple(IMAGES) if everything else WEB_IMAGES)
    reached = lab.topology.web if whole or current else _reached_first(lab, release, services)
    wanted = {node: lab.plan(release, node) for node in lab.topology.names}
    looks = {node: partial(lab.nodes[node].observe, plan) for node, plan in wanted.items()}
    found = together(looks)
    nodes = {}
    for node, plan in wanted.items():
        concerned = ALL if whole else _concerned(lab, services, node)
        concerned |= ALL - WEB if everything else frozenset()
        web_too = WEB if lab.topology.overlay or node in nodes_of(reached) else frozenset()
        ahead = pulls(plan.only(concerned | web_too), found[node])
        nodes[node] = replace(difference(plan, found[node], concerned), pulls=ahead)
    serving = static.serving(lab)
    return Seen(
        remade=whole and not boot.made_as_wanted(lab),
        outdated=boot.outdated(lab) if whole else (),
        release=release,
        current=current,
        missing=_missing(lab, release, found[lab.topology.builder]),
        initialized=initialized(lab, release),
        in_swarm=swarm.active(lab),
        nodes=nodes,
        serving=serving,
        files=_lacking_files(lab, release, reached, serving),
        left=_left_drained(lab, found) & {service.nginx for service in services},
    )


def _concerned(lab: Lab, services: tuple[WebService, ...], node: str) -> frozenset[str]:
    """The programs of a node that a deploy of web services brings to their plan."""
    # Of all web services what they left behind is removed, too: from nodes that have none now.
    web_too = node in nodes_of(services) or set(services) == set(lab.topology.web)
    registry = REGISTRY if node == lab.topology.builder else frozenset()
    return BALANCER | registry | (WEB if web_too else frozenset())


def _reached_first(
    lab: Lab, release: Release, services: tuple[WebService, ...]
) -> tuple[WebService, ...]:
    """The web services that a first deploy of some lays images and files for: of all, if one serves
    another release."""
    found = changes(lab, release, lab.topology.web)
    return lab.topology.web if any(one.serves for one in found.values()) else services


def _missing(lab: Lab, release: Release, builder: Observation) -> dict[str, str] | None:
    trust = plans.registry_trust(lab.secrets, lab.topology.registry)
    trusted = all(builder.files.get(file.path) == file.digest for file in trust)
    own = lab.topology.settings.registry is None
    runs = any(c.well for c in builder.containers.values() if c.service in REGISTRY)
    if not trusted or (own and not runs):
        return None
    return building.missing(lab, lab.wanted_tags(release))


def _lacking_files(
    lab: Lab, release: Release, services: tuple[WebService, ...], serving: tuple[str, ...]
) -> dict[str, str]:
    site, topology = lab.site(release), lab.topology
    holders = {service.django: service.nginx for service in services}
    if topology.overlay:
        holders = {node: node for node in topology.names}
    laid = together(
        {node: partial(static.laid, lab.nodes[node], site, serving) for node in holders}
    )
    return {node: nginx for node, nginx in holders.items() if not laid[node]}


def _left_drained(lab: Lab, found: dict[str, Observation]) -> frozenset[str]:
    """Nobody where a balancer can't be asked: it is started, and has drained nobody then."""
    haproxies = [found[name].containers.get("haproxy") for name in lab.topology.settings.balancers]
    return taken_out(lab) if all(h and h.well for h in haproxies) else frozenset()


def lines(lab: Lab, seen: Seen) -> Iterator[Announcement]:
    yield from _of_machines(lab, seen)
    yield from _of_the_lab(lab, seen)
    for node, due in seen.nodes.items():
        yield from (Announcement(node, f"write {file.path}") for file in due.files)
        yield from (Announcement(node, pull.words, as_typed(pull)) for pull in due.pulls)
        if node in seen.files:
            yield _lay(lab, seen, node)
        yield from (Announcement(node, step.words, as_typed(step)) for step in due.steps)
    for nginx in sorted(seen.left):
        yield Announcement(nginx, "gets requests again: a task that was cut off left it drained")
    if seen.current and seen.release != seen.current:
        yield Announcement(
            "lab", "remove static files and images that neither pages nor releases need"
        )


def _bringer(lab: Lab) -> str:
    return "over SSH" if lab.topology.own_hosts else "have Vagrant"


def _of_machines(lab: Lab, seen: Seen) -> Iterator[Announcement]:
    if seen.remade:
        yield Announcement(
            "lab", f"{_bringer(lab)} look at the machines: they are not known as lab.yml's"
        )
    if seen.outdated:
        command = shlex.join(
            ("make", "up") if lab.topology.own_hosts else ("vagrant", "provision", *seen.outdated)
        )
        what = "provision with what has changed in provision/"
        yield Announcement("lab", f"{what}: {', '.join(seen.outdated)}", (command,))


def _of_the_lab(lab: Lab, seen: Seen) -> Iterator[Announcement]:
    if seen.current is None:
        yield Announcement("lab", "make the first release, and start all that it needs")
    elif seen.release != seen.current:
        yield Announcement("lab", f"a new release takes the place of {seen.current.name}")
    if seen.missing is None:
        yield Announcement("lab", "build and push what the registry lacks once it can be asked")
    elif seen.missing:
        names = ", ".join(f"{name}:{tag}" for name, tag in seen.missing.items())
        yield Announcement("lab", f"build, unless the builder has them, and push: {names}")
    if not seen.initialized:
        yield Announcement("lab", "initialize the databases: no release like this one did so yet")
    if lab.topology.overlay and (not seen.in_swarm or _stack_changes(seen)):
        yield _stack(lab, seen)
    if seen.in_swarm and not lab.topology.overlay:
        end = (shlex.join(overlay.END),)
        yield Announcement("lab", "end the Swarm stack once the web services serve", end)


def _stack(lab: Lab, seen: Seen) -> Announcement:
    begin = () if seen.in_swarm else (shlex.join(overlay.init(lab.topology)),)
    joining = "" if seen.in_swarm else "make all nodes one swarm with Django's secrets, and "
    deploy = shlex.join((*overlay.DEPLOY, *overlay.OF_THE_FILE))
    return Announcement("lab", f"{joining}bring the web to the Swarm stack", (*begin, deploy))


def _stack_changes(seen: Seen) -> bool:
    return any(f.path == overlay.STACK_FILE for due in seen.nodes.values() for f in due.files)


def _lay(lab: Lab, seen: Seen, node: str) -> Announcement:
    site, nginx = lab.site(seen.release), seen.files[node]
    own = web.static_set(site)
    to = "" if nginx == node else f", and rsync them to {nginx}"
    command = shlex.join(web.publish_static(site, own, seen.serving))
    what = f"lay the static files of webapp_static:{own} into its volume{to}"
    return Announcement(node, what, (command,))


def text(found: tuple[Announcement, ...], *, commands: bool) -> str:
    """A line each, and its commands below it, or that there is nothing to do."""
    told = []
    for line in found:
        told.append(f"{line.where:<8}  {line.what}")
        told += [f"{'':<10}$ {command}" for command in line.commands if commands]
    return "\n".join(told) or NOTHING
