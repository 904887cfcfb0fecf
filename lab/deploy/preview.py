"""What `fab up` or `fab deploy` would do and why: it looks, and changes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from lab.balancers.balancers import taken_out
from lab.config.topology import WebService
from lab.context import NO_RELEASE, Lab
from lab.databases.initialize import initialized
from lab.deploy import building, static, swarm
from lab.deploy.publishing import source_release
from lab.engine.difference import Difference, difference
from lab.engine.progress import together
from lab.engine.steps import as_typed
from lab.errors import LabError
from lab.plan.modes import web
from lab.plan.modes.overlay import STACK_FILE
from lab.plan.plans import ALL, BALANCER, REGISTRY, WEB
from lab.release.images import IMAGES, WEB_IMAGES
from lab.release.releases import Release
from lab.vagrant import boot

NOTHING = "nothing to do: every node is as lab.yml and the sources say"


@dataclass(frozen=True, slots=True)
class Line:
    """What would be done, where, and the commands that do it on that node, if it is so plain."""

    where: str
    what: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What decides.

    remade: whether Vagrant may have machines to make; outdated: nodes to be provisioned again;
    release: that of the sources; current: the one that serves; missing: image to tag, which no
    registry has; sets: each nginx whose node lacks static files; left: each nginx that a killed
    task left drained.
    """

    remade: bool
    outdated: tuple[str, ...]
    release: Release
    current: Release | None
    missing: dict[str, str]
    initialized: bool
    in_swarm: bool
    nodes: dict[str, Difference]
    sets: tuple[WebService, ...]
    left: frozenset[str]


def preview(
    lab: Lab, services: tuple[WebService, ...], *, whole: bool, other_mode: bool = False
) -> tuple[Line, ...]:
    """whole: as `fab up` does, everything on all nodes; else the web services, as `fab deploy`.

    other_mode: as deploy has it.
    """
    return tuple(lines(lab, look(lab, services, whole=whole, other_mode=other_mode)))


def look(
    lab: Lab, services: tuple[WebService, ...], *, whole: bool, other_mode: bool = False
) -> Seen:
    current = lab.current_release()
    if not current and other_mode:
        raise LabError(f"--mode: {NO_RELEASE}")
    # A first deploy starts all that the web needs.
    everything = whole or not current
    release = source_release(lab, current, tuple(IMAGES) if everything else WEB_IMAGES)
    serving = static.serving(lab)
    web_nodes = {node for service in services for node in (service.django, service.nginx)}
    # What makes room for a stack is removed from every node.
    web_nodes |= {*lab.topology.names} if lab.topology.overlay else set()

    def concerned(node: str) -> frozenset[str]:
        web = WEB if whole or node in web_nodes else frozenset()
        return web | (ALL - WEB if everything else BALANCER)

    def differing(node: str) -> Difference:
        plan, services = lab.plan(release, node), concerned(node)
        return difference(plan, lab.nodes[node].observe(plan.only(services)), services)

    def lacks_files(service: WebService) -> bool:
        return not static.laid(lab.nodes[service.django], lab.site(release), serving)

    lacking = together({str(i): partial(lacks_files, s) for i, s in enumerate(services)})
    return Seen(
        remade=whole and not boot.made_as_wanted(lab),
        outdated=boot.outdated(lab) if whole else (),
        release=release,
        current=current,
        missing=_missing(lab, release),
        initialized=initialized(lab, release),
        in_swarm=swarm.active(lab),
        nodes=together({node: partial(differing, node) for node in lab.topology.names}),
        sets=tuple(service for i, service in enumerate(services) if lacking[str(i)]),
        left=taken_out(lab) if current else frozenset(),
    )


def _missing(lab: Lab, release: Release) -> dict[str, str]:
    """All images where no registry runs yet: it is started first."""
    wanted = lab.wanted_tags(release)
    found = lab.builder.observe(lab.plan(release, lab.topology.builder).only(REGISTRY))
    own = lab.topology.settings.registry is None
    if own and not any(c.well for c in found.containers.values() if c.service in REGISTRY):
        return wanted
    return building.missing(lab, wanted)


def lines(lab: Lab, seen: Seen) -> Iterator[Line]:
    """In about the order in which it would be done. Empty if there is nothing to do."""
    yield from _of_the_lab(lab, seen)
    for node, due in seen.nodes.items():
        yield from (Line(node, f"write {file.path}") for file in due.files)
        yield from (Line(node, pull.words, as_typed(pull)) for pull in due.pulls)
        yield from (_lay(lab, seen, s) for s in seen.sets if s.django == node)
        yield from (Line(node, step.words, as_typed(step)) for step in due.steps)
    for nginx in sorted(seen.left):
        yield Line(nginx, "gets requests again: a task that was cut off left it drained")


def _of_the_lab(lab: Lab, seen: Seen) -> Iterator[Line]:
    if seen.remade:
        yield Line("lab", "have Vagrant look at the machines: they are not known as lab.yml's")
    if seen.outdated:
        what = "provision with what has changed in provision/"
        yield Line("lab", f"{what}: {', '.join(seen.outdated)}", (_provision(seen.outdated),))
    if not seen.current:
        yield Line("lab", "no release is on all web nodes yet: all that they need is started, too")
    elif seen.release != seen.current:
        yield Line("lab", f"a new release takes the place of {seen.current.name}")
    if seen.missing:
        names = ", ".join(f"{name}:{tag}" for name, tag in seen.missing.items())
        yield Line("lab", f"build, unless the builder has them, and push: {names}")
    if not seen.initialized:
        yield Line("lab", "initialize the databases: no release like this one did so yet")
    if lab.topology.overlay and (not seen.in_swarm or _stack_changes(seen)):
        command = shlex.join((*swarm.DEPLOY, *swarm.OF_THE_FILE))
        yield Line("lab", "bring the web to the Swarm stack", (command,))
    if seen.in_swarm and not lab.topology.overlay:
        end = (shlex.join(swarm.END),)
        yield Line("lab", "end the Swarm stack once the web services serve", end)


def _provision(nodes: tuple[str, ...]) -> str:
    return shlex.join(("vagrant", "provision", *nodes))


def _stack_changes(seen: Seen) -> bool:
    return any(f.path == STACK_FILE for due in seen.nodes.values() for f in due.files)


def _lay(lab: Lab, seen: Seen, service: WebService) -> Line:
    site = lab.site(seen.release)
    own = web.static_set(site)
    to = f", and rsync them to {service.nginx}" if service.nginx != service.django else ""
    return Line(
        service.django,
        f"lay the static files of webapp_static:{own} into its volume{to}",
        (shlex.join(web.publish_static(site, own, ())),),
    )


def text(found: tuple[Line, ...], *, commands: bool) -> str:
    """A line each, and its commands below it, or that there is nothing to do."""
    told = []
    for line in found:
        told.append(f"{line.where:<8}  {line.what}")
        told += [f"{'':<10}$ {command}" for command in line.commands if commands]
    return "\n".join(told) or NOTHING
