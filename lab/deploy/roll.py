"""Brings the web services to a release, one after another, without losing a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from lab.balancers.balancers import configure, drained, taken_out
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy import static, swarm
from lab.deploy.warm_up import warm_up
from lab.engine.apply import HEALTHY_SECONDS, apply, pull, remove_unwanted, settle, wait_healthy
from lab.engine.difference import changed, difference, interrupts
from lab.engine.progress import interrupted, phase, say, together
from lab.errors import LabError
from lab.plan.modes import default_bridge
from lab.plan.modes.web import STATIC_SET_FILE
from lab.plan.plans import WEB
from lab.release.releases import Release

DJANGO, FRONT = frozenset({"django"}), frozenset({"nginx", "allinone"})
# Until a web container that replaces a serving one must be healthy; it takes about 3.
REPLACED_SECONDS = 60


def start(lab: Lab, release: Release, *, in_swarm: bool) -> None:
    """Starts all web services at the same time, where none serves."""
    serving = static.serving(lab)

    def one(service: WebService) -> None:
        lay(lab, release, service, serving)
        start_service(lab, release, service, in_swarm=in_swarm)

    together({str(i): partial(one, service) for i, service in enumerate(lab.topology.web)})


class Change(NamedTuple):
    """What a release changes in a web service.

    containers: some of them; static_set: which files pages name; serves: it serves well until then.
    """

    containers: bool
    static_set: bool
    serves: bool


def bring(
    lab: Lab,
    release: Release,
    services: tuple[WebService, ...],
    databases: Callable[[], None] | None = None,
) -> None:
    """Brings web services to a release, and ends the stack if the web is one now.

    databases: what makes them ready for the release, if it needs that, before its first Django
    starts.
    Raises LabError if one of the services does not serve then; what was changed is put back.
    """
    in_swarm = swarm.active(lab)
    changing = changes(lab, release, services)
    ahead: dict[str, Callable[[], frozenset[str] | None]] = {
        "files": partial(lay_ahead, lab, release),
    }
    if databases:
        ahead["databases"] = databases
    with phase("ahead"):
        lacking = together(ahead)["files"] or frozenset()
    roll(lab, release, services, changing, lacking, in_swarm=in_swarm)
    with phase("balancers"):
        # Not before: a server that moved still serves, and HAProxy's old process ignores drains.
        work: dict[str, Callable[[], object]] = {
            "balancers": partial(configure, lab, release),
            "static files": partial(static.prune, lab),
        }
        together(work)
    if in_swarm:
        leave_overlay(lab, release)
    if set(services) == set(lab.topology.web):
        remove_leftovers(lab, release)


def roll(
    lab: Lab,
    release: Release,
    services: tuple[WebService, ...],
    changing: Mapping[WebService, Change],
    lacking: frozenset[str],
    *,
    in_swarm: bool,
) -> None:
    """Brings one service after another to a release; one that changes gets no request meanwhile.

    One that a killed task left drained, perhaps with a release that does not serve, is tried before
    it gets requests again, too. Where nothing but the static set changes, all services are told at
    the same time while they serve: each page names a file that is there, before and after.
    lacking: unless pages may name a file that this set has not; in_swarm: the web is a stack now,
    whose nginx gives port 80 up first.
    """
    left = set(taken_out(lab))
    changed: list[WebService] = []

    def replace(service: WebService) -> None:
        later.discard(service.nginx)
        with drained(lab, *_fronts(lab, service), later=later):
            start_service(lab, release, service, in_swarm=in_swarm, seconds=REPLACED_SECONDS)
            warm_up(lab, release, service)

    def rename(service: WebService) -> None:
        start_service(lab, release, service, in_swarm=in_swarm)
        warm_up(lab, release, service)

    def keep(service: WebService) -> None:
        start_service(lab, release, service, in_swarm=in_swarm)

    def stands_aside(service: WebService) -> bool:
        change = changing.get(service)
        return service.nginx in left or bool(change and (change.containers or lacking))

    replaced = [s for s in services if stands_aside(s)]
    rest = [s for s in services if s not in replaced]
    # A killed task may have told of a set untried that is not the current release's.
    current = lab.current_release()
    other_set = not current or current.tags["webapp_static"] != release.tags["webapp_static"]
    renamed, kept = (rest, []) if other_set else ([], rest)
    if lacking:
        names = ", ".join(sorted(lacking))
        say("lab", f"pages may name what is no static file now: {names}: one node after another")
    # A neighbour may not serve before its own turn: a killed task left it drained, or its Django
    # has moved, and it is not told yet.
    later = left | {service.nginx for service in replaced}
    steps: list[tuple[list[WebService], Callable[[WebService], None]]]
    # Those that go on as they are come last: a bad release has not even given them its name then.
    steps = [*(([service], replace) for service in replaced), (renamed, rename), (kept, keep)]
    for batch, step in steps:
        if not batch:
            continue
        changed.extend(batch)
        try:
            with phase(", ".join(map(_where, batch))):
                together({_where(service): partial(step, service) for service in batch})
        except LabError as error:
            if in_swarm or interrupted():
                raise
            raise _put_back(lab, changed, error) from None


def _put_back(lab: Lab, changed: list[WebService], error: LabError) -> LabError:
    """Brings the nodes of services back to the current release; what to raise then."""
    nodes = {node for service in changed for node in (service.django, service.nginx)}
    say("lab", f"{str(error).splitlines()[0]}")
    try:
        current = lab.require_release()
        before = lab.as_of(current)
        say("lab", f"putting back {current.name} on {' and '.join(sorted(nodes))}")
        # The one that failed is first: the others serve.
        for service in reversed(before.topology.web):
            if nodes & {service.django, service.nginx}:
                # A wiring that had no place for its volume or folder may have removed them.
                lay(before, current, service, static.serving(lab))
                with drained(before, *_fronts(before, service)):
                    start_service(before, current, service, seconds=REPLACED_SECONDS)
        together({name: partial(_tidy, before, current, name) for name in nodes})
    except LabError as second:
        return LabError(f"{error}\nand the release before could not be put back: {second}")
    return LabError(f"{error}\nthe web is back at {current.name}")


def remove_leftovers(lab: Lab, release: Release) -> None:
    """Removes the containers of web services that lab.yml no longer has."""
    together({name: partial(_tidy, lab, release, name) for name in lab.topology.names})


def _tidy(lab: Lab, release: Release, node: str) -> bool:
    return remove_unwanted(lab.nodes[node], lab.plan(release, node), WEB)


def start_service(
    lab: Lab,
    release: Release,
    service: WebService,
    *,
    in_swarm: bool = False,
    seconds: float = HEALTHY_SECONDS,
) -> None:
    """Brings one web service to the release: Django, then what has port 80."""
    halves = [(service.django, DJANGO), (service.nginx, FRONT)]
    # On the default bridge nginx is told an address that is known only once Django has it.
    if service.django == service.nginx and service.mode != default_bridge.NAME and not in_swarm:
        halves = [(service.django, WEB)]
    changed = False
    for name, programs in halves:
        if in_swarm and programs == FRONT:
            swarm.vacate(lab, name)
        changed |= settle(lab.nodes[name], lab.plan(release, name), programs, seconds)
    say(_where(service), f"{service.mode}: {release.name if changed else 'unchanged'}")


def leave_overlay(lab: Lab, release: Release) -> None:
    """Ends the stack once lab.yml's services stand, and removes what only it used."""
    swarm.leave(lab)
    together(
        {
            name: partial(apply, lab.nodes[name], lab.plan(release, name), WEB)
            for name in lab.topology.names
        }
    )
    for name in lab.topology.names:
        wait_healthy(lab.nodes[name], lab.plan(release, name), WEB)


def clear(lab: Lab, release: Release, node: str) -> None:
    """Removes the web containers of a node."""
    whole = lab.plan(release, node)
    apply(lab.nodes[node], whole.only(whole.services - WEB), WEB)


def changes(
    lab: Lab, release: Release, services: tuple[WebService, ...]
) -> dict[WebService, Change]:
    """The services that a release changes, and what of them."""

    def one(node: str) -> Change:
        plan = lab.plan(release, node)
        part = plan.only(WEB)
        found = lab.nodes[node].observe(part)
        other_files = {file.path for file in changed(part.all_files, found)}
        static_set = STATIC_SET_FILE in other_files
        serves = static_set and any(r.well for r in found.containers.values() if r.service in WEB)
        return Change(
            containers=bool(difference(plan, found, WEB).steps),
            static_set=static_set,
            serves=serves or interrupts(plan, found, WEB),
        )

    nodes = {
        f"{i} {node}": partial(one, node)
        for i, service in enumerate(services)
        for node in dict.fromkeys((service.django, service.nginx))
    }
    found = together(nodes)
    answer = {}
    for i, service in enumerate(services):
        own = [found[f"{i} {node}"] for node in dict.fromkeys((service.django, service.nginx))]
        change = Change(*(any(parts) for parts in zip(*own, strict=True)))
        if change.containers or change.static_set:
            answer[service] = change
    return answer


def lay_ahead(lab: Lab, release: Release) -> frozenset[str]:
    """Brings images and static files to every web node before the first one changes.

    An image that can't be had stops nothing then. Static files come before any page names them:
    HAProxy hands a browser's next request to another node, also to one that does not change.
    Returns the names that pages may use now, and for which the release's static set has no file.
    """
    serving = static.serving(lab)
    web = enumerate(lab.topology.web)
    found = together({str(i): partial(lay, lab, release, service, serving) for i, service in web})
    return frozenset().union(*found.values())


def lay(
    lab: Lab, release: Release, service: WebService, serving: tuple[str, ...]
) -> frozenset[str]:
    """Brings one web service's images and static files to its nodes.

    serving: the static sets whose files pages name until then. Returns as lay_ahead does.
    """
    work: dict[str, Callable[[], frozenset[str] | None]] = {
        name: partial(pull, lab.nodes[name], lab.plan(release, name), WEB)
        for name in (service.django, service.nginx)
    }
    # Not after them: one of them may wait for what else changes its node.
    work["files"] = partial(static.ahead, lab, release, service, serving)
    return together(work)["files"] or frozenset()


def _fronts(lab: Lab, service: WebService) -> tuple[str, ...]:
    """Each nginx that stands without a Django while this service's is replaced."""
    same = (one.nginx for one in lab.topology.web if one.django == service.django)
    return tuple(dict.fromkeys((service.nginx, *same)))


def _where(service: WebService) -> str:
    return " and ".join(dict.fromkeys((service.django, service.nginx)))
