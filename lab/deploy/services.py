"""Web services on their nodes: their files laid, their containers started and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from lab.config.modes import FRONTS, MODES
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy import static, swarm
from lab.engine.apply import HEALTHY_SECONDS, apply, pull, remove_unwanted, settle
from lab.engine.progress import say, together
from lab.plan.plans import WEB
from lab.release.releases import Release


def start(lab: Lab, release: Release, services: tuple[WebService, ...], *, in_swarm: bool) -> None:
    """Starts web services at the same time, where none serves another release."""
    serving = static.serving(lab)

    def start_one(service: WebService) -> None:
        lay(lab, release, service, serving)
        start_service(lab, release, service, in_swarm=in_swarm)

    together({str(i): partial(start_one, service) for i, service in enumerate(services)})


def start_service(
    lab: Lab,
    release: Release,
    service: WebService,
    *,
    in_swarm: bool = False,
    seconds: float = HEALTHY_SECONDS,
) -> None:
    """Brings one web service to the release: Django, then what has port 80."""
    halves = [(service.django, WEB - FRONTS), (service.nginx, FRONTS)]
    # An address that nginx is told is known only once Django has it.
    mode = MODES[service.mode]
    if not (mode.apart or mode.told_address or in_swarm):
        halves = [(service.django, WEB)]
    changed = False
    for name, programs in halves:
        if in_swarm and programs == FRONTS:
            swarm.vacate(lab, name)
        changed |= settle(lab.nodes[name], lab.plan(release, name), programs, seconds)
    say(where(service), f"{service.mode}: {release.name if changed else 'unchanged'}")


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


def clear(lab: Lab, release: Release, node: str) -> None:
    """Removes the web containers of a node."""
    whole = lab.plan(release, node)
    apply(lab.nodes[node], whole.only(whole.services - WEB), WEB)


def tidy(lab: Lab, release: Release, node: str) -> bool:
    return remove_unwanted(lab.nodes[node], lab.plan(release, node), WEB)


def remove_leftovers(lab: Lab, release: Release) -> None:
    """Removes the containers of web services that lab.yml no longer has."""
    together({name: partial(tidy, lab, release, name) for name in lab.topology.names})


def fronts(lab: Lab, service: WebService) -> tuple[str, ...]:
    """Each nginx that stands without a Django while this service's is replaced."""
    same = (one.nginx for one in lab.topology.web if one.django == service.django)
    return tuple(dict.fromkeys((service.nginx, *same)))


def where(service: WebService) -> str:
    return " and ".join(dict.fromkeys((service.django, service.nginx)))


def nodes_of(services: Iterable[WebService]) -> frozenset[str]:
    return frozenset(node for service in services for node in (service.django, service.nginx))
