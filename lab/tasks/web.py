"""Brings the web services to a release, one after another, without losing a request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lab import docker
from lab.errors import LabError
from lab.modes import separate_hosts
from lab.modes.web import STATIC_SET_FILE
from lab.plan import WEB
from lab.progress import interrupted, phase, say, together
from lab.releases import Release
from lab.tasks import overlay, static
from lab.tasks.apply import HEALTHY_SECONDS, apply, pull, remove_unwanted, wait_healthy
from lab.tasks.balancers import configure, drained, taken_out
from lab.tasks.context import Lab
from lab.tasks.warm_up import warm_up
from lab.topology import WebService

DJANGO, FRONT = frozenset({"django"}), frozenset({"nginx", "allinone"})
# Until a web container that replaces a serving one must be healthy; it takes about 3.
REPLACED_SECONDS = 60


def start(lab: Lab, release: Release, *, swarm: bool) -> None:
    """Starts all web services at the same time, where none serves."""
    serving = static.serving(lab)

    def one(service: WebService) -> None:
        lay(lab, release, service, serving)
        start_service(lab, release, service, swarm=swarm)

    together({str(i): partial(one, service) for i, service in enumerate(lab.topology.web)})


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
    swarm = overlay.active(lab)
    changing = changes(lab, release, services)
    ahead: dict[str, Callable[[], None]] = {
        "files": partial(lay_ahead, lab, release),
    }
    if databases:
        ahead["databases"] = databases
    with phase("ahead"):
        together(ahead)
    roll(lab, release, services, tuple(changing), swarm=swarm)
    with phase("balancers"):
        # Not before: a server that moved still serves, and HAProxy's old process ignores drains.
        configure(lab, release)
    if swarm:
        leave_overlay(lab, release)
    if set(services) == set(lab.topology.web):
        remove_leftovers(lab, release)


def roll(
    lab: Lab,
    release: Release,
    services: tuple[WebService, ...],
    changing: tuple[WebService, ...],
    *,
    swarm: bool,
) -> None:
    """Brings one service after another to a release; one that changes gets no request meanwhile.

    One that a killed task left drained, perhaps with a release that does not serve, is tried before
    it gets requests again, too.
    swarm: the web is a stack now, whose nginx gives port 80 up first.
    """
    left = set(taken_out(lab))
    changed: list[WebService] = []

    def replace(service: WebService) -> None:
        later.discard(service.nginx)
        with drained(lab, *_fronts(lab, service), later=later):
            start_service(lab, release, service, swarm=swarm, seconds=REPLACED_SECONDS)
            warm_up(lab, release, service)

    def keep(service: WebService) -> None:
        start_service(lab, release, service, swarm=swarm)

    replaced = [s for s in services if s in changing or s.nginx in left]
    kept = [s for s in services if s not in replaced]
    # A neighbour may not serve before its own turn: a killed task left it drained, or its Django
    # has moved, and it is not told yet.
    later = left | {service.nginx for service in replaced}
    steps: list[tuple[list[WebService], Callable[[WebService], None]]]
    # Those that go on as they are come last: a bad release has not even given them its name then.
    steps = [*(([service], replace) for service in replaced), *([(kept, keep)] if kept else [])]
    for batch, step in steps:
        changed.extend(batch)
        try:
            with phase(", ".join(map(_where, batch))):
                together({_where(service): partial(step, service) for service in batch})
        except LabError as error:
            if swarm or interrupted():
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
                with drained(before, *_fronts(before, service)):
                    start_service(before, current, service, seconds=REPLACED_SECONDS)
    except LabError as second:
        return LabError(f"{error}\nand the release before could not be put back: {second}")
    return LabError(f"{error}\nthe web is back at {current.name}")


def remove_leftovers(lab: Lab, release: Release) -> None:
    """Removes the containers of web services that lab.yml no longer has, and the static files of
    old sets from nginx that have them rsynced."""
    work: dict[str, Callable[[], object]] = {
        name: partial(remove_unwanted, lab.nodes[name], lab.plan(release, name), WEB)
        for name in lab.topology.names
    }
    apart = (one for one in lab.topology.web if one.mode == separate_hosts.NAME)
    work |= {f"static {one.nginx}": partial(static.carry, lab, one) for one in apart}
    together(work)


def start_service(
    lab: Lab,
    release: Release,
    service: WebService,
    *,
    swarm: bool = False,
    seconds: float = HEALTHY_SECONDS,
) -> None:
    """Brings one web service to the release: Django, then what has port 80."""
    django, nginx = lab.nodes[service.django], lab.nodes[service.nginx]
    django_plan, nginx_plan = lab.plan(release, service.django), lab.plan(release, service.nginx)
    changed = apply(django, django_plan, DJANGO)
    wait_healthy(django, django_plan, DJANGO, seconds)
    if swarm:
        overlay.vacate(lab, service.nginx)
    changed |= apply(nginx, nginx_plan, FRONT)
    wait_healthy(nginx, nginx_plan, FRONT, seconds)
    say(_where(service), f"{service.mode}: {release.name if changed else 'unchanged'}")


def leave_overlay(lab: Lab, release: Release) -> None:
    """Ends the stack once lab.yml's services stand, and removes what only it used."""
    overlay.leave(lab)
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


def changes(lab: Lab, release: Release, services: tuple[WebService, ...]) -> dict[WebService, bool]:
    """The services that change, in a container or in the static set; whether one that serves well
    does."""

    def one(node: str) -> tuple[bool, bool]:
        plan = lab.plan(release, node)
        found = lab.nodes[node].observe(plan.only(WEB))
        commands, stops = docker.commands(plan, found, WEB), docker.replaced(plan, found, WEB)
        renamed = any(
            file.path == STATIC_SET_FILE for file in docker.changed(docker.files(plan), found)
        )
        return bool(commands or renamed), stops or (renamed and _serves(found))

    nodes = {
        f"{i} {node}": partial(one, node)
        for i, service in enumerate(services)
        for node in dict.fromkeys((service.django, service.nginx))
    }
    found = together(nodes)
    answer = {}
    for i, service in enumerate(services):
        own = [found[f"{i} {node}"] for node in dict.fromkeys((service.django, service.nginx))]
        if any(commands for commands, _ in own):
            answer[service] = any(stops for _, stops in own)
    return answer


def _serves(found: docker.Observation) -> bool:
    return any(running.well for running in found.containers.values() if running.service in WEB)


def lay_ahead(lab: Lab, release: Release) -> None:
    """Brings images and static files to every web node before the first one changes.

    An image that can't be had stops nothing then. Static files come before any page names them:
    HAProxy hands a browser's next request to another node, also to one that does not change.
    """
    serving = static.serving(lab)
    web = enumerate(lab.topology.web)
    together({str(i): partial(lay, lab, release, service, serving) for i, service in web})


def lay(lab: Lab, release: Release, service: WebService, serving: str = "") -> None:
    """Brings one web service's images and static files to its nodes.

    serving: the static set whose files pages name until then, if any.
    """
    for node in dict.fromkeys((service.django, service.nginx)):
        pull(lab.nodes[node], lab.plan(release, node), WEB)
    static.ahead(lab, release, service, serving)


def _fronts(lab: Lab, service: WebService) -> tuple[str, ...]:
    """Each nginx that stands without a Django while this service's is replaced."""
    same = (one.nginx for one in lab.topology.web if one.django == service.django)
    return tuple(dict.fromkeys((service.nginx, *same)))


def _where(service: WebService) -> str:
    return " and ".join(dict.fromkeys((service.django, service.nginx)))
