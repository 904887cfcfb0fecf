"""Builds, publishes and brings programs to the nodes: what `up` and `deploy` are made of."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

from lab import docker, images, releases
from lab.containers import Plan
from lab.errors import LabError
from lab.images import IMAGES
from lab.modes import separate_hosts
from lab.plan import ALL, BALANCER, DATA, WEB
from lab.progress import say, together
from lab.releases import Release
from lab.tasks import drain, overlay, static
from lab.tasks.apply import apply, remove_unwanted, wait_healthy
from lab.tasks.context import Lab
from lab.tasks.images import (
    build,
    built_lacks,
    missing,
    push,
    record,
    send_sources,
    start_registry,
)
from lab.tasks.initialize import initialize
from lab.topology import WebService

WEB_IMAGES = ("webapp_django", "webapp_nginx", "webapp_allinone")
DJANGO, FRONT = frozenset({"django"}), frozenset({"nginx", "allinone"})


class Publishing:
    """Images on their way to the registry, all at the same time; what is there already is."""

    def __init__(self, lab: Lab, tags: dict[str, str]) -> None:
        absent = missing(lab, tags)
        unbuilt = built_lacks(lab, absent)
        if unbuilt:
            send_sources(lab, unbuilt)

        def publish(name: str) -> None:
            if name in unbuilt:
                build(lab, IMAGES[name], tags[name])
            push(lab, IMAGES[name], tags[name])

        self._pool = ThreadPoolExecutor(max_workers=len(IMAGES))
        self._futures: dict[str, Future[None]] = {
            name: self._pool.submit(publish, name) for name in absent
        }

    def __enter__(self) -> Publishing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def wait(self, *names: str) -> None:
        """Returns once these images are in the registry. Raises what kept one of them from it."""
        for name in names:
            if name in self._futures:
                self._futures[name].result()


def source_release(lab: Lab, only: tuple[str, ...] = tuple(IMAGES)) -> Release:
    """The release that the sources make: new tags for some images, the current ones for others."""
    current = lab.current_release()
    tags = images.tags()
    kept = {n: t for n, t in current.tags.items() if n not in only} if current else {}
    return releases.next_release(current, tags | kept, datetime.now(UTC))


def bring_up(lab: Lab) -> Release:
    """All that comes after the machines; what takes longest to become ready is started first."""
    release = source_release(lab)
    start_registry(lab, release)
    settings = lab.topology.settings
    servers = tuple(dict.fromkeys((*settings.mysql, *settings.cassandra)))
    swarm = overlay.active(lab)

    def web(service: WebService) -> None:
        deploy_service(lab, release, service, swarm=swarm)

    def web_tier() -> None:
        published.wait(*WEB_IMAGES)
        lay_static_ahead(lab, release)
        together({str(i): partial(web, s) for i, s in enumerate(lab.topology.web)})

    with Publishing(lab, lab.wanted_tags(release)) as published:
        published.wait("mysql", "cassandra")
        together(
            {
                name: partial(remove_unwanted, lab.nodes[name], lab.plan(release, name), ALL - DATA)
                for name in lab.topology.names
            }
        )
        _start_data(lab, release, servers)
        tiers: dict[str, Callable[[], None]] = {
            "databases": partial(_databases, lab, release, servers, published),
            "web": web_tier,
        }
        together(tiers)
        published.wait(*IMAGES)
        if swarm:
            _leave_overlay(lab, release)
    _remove_data(lab, release, servers)
    record(lab, release, current=True)
    return release


def _start_data(lab: Lab, release: Release, servers: tuple[str, ...]) -> None:
    """Starts what does not serve, everywhere at once; what serves is replaced node by node.

    No more than one server is missing at any time: each waits until all others are healthy.
    """
    plans = {name: lab.plan(release, name) for name in servers}

    def start(name: str) -> bool:
        """Whether the node has to wait for its turn."""
        if docker.replaced(plans[name], lab.nodes[name].observe(plans[name].only(DATA)), DATA):
            return True
        apply(lab.nodes[name], plans[name], DATA)
        return False

    waiting = together({name: partial(start, name) for name in servers})
    for turn in (name for name in servers if waiting[name]):
        _wait_data(lab, plans)
        apply(lab.nodes[turn], plans[turn], DATA)
    if any(waiting.values()):
        _wait_data(lab, plans)


def _remove_data(lab: Lab, release: Release, servers: tuple[str, ...]) -> None:
    """Takes database servers away that lab.yml no longer has: last, and one after another."""
    for name in lab.topology.names:
        if remove_unwanted(lab.nodes[name], lab.plan(release, name), DATA):
            _wait_data(lab, {server: lab.plan(release, server) for server in servers})


def _wait_data(lab: Lab, plans: dict[str, Plan]) -> None:
    together(
        {name: partial(wait_healthy, lab.nodes[name], plan, DATA) for name, plan in plans.items()}
    )


def _databases(lab: Lab, release: Release, servers: tuple[str, ...], published: Publishing) -> None:
    """The balancers lead to the databases, so both have to be there before they are initialized."""

    published.wait("haproxy")
    balance(lab, release)
    _wait_data(lab, {name: lab.plan(release, name) for name in servers})
    say("lab", "data tier healthy")
    published.wait("webapp_django")
    initialize(lab, release)


def balance(lab: Lab, release: Release) -> bool:
    """Brings the balancers to their plan: a changed configuration is read again, not restarted.

    Returns whether anything had to be done.
    """

    def one(name: str) -> bool:
        node, plan = lab.nodes[name], lab.plan(release, name)
        changed = apply(node, plan, BALANCER)
        wait_healthy(node, plan, BALANCER)
        return changed

    done = together({name: partial(one, name) for name in lab.topology.settings.balancers})
    # A task that was killed may have left a server drained.
    drain.set_state(lab, lab.topology.nginx_nodes, "ready")
    return any(done.values())


def deploy_service(lab: Lab, release: Release, service: WebService, *, swarm: bool) -> None:
    """Brings one web service to the release: Django, its static files, then what has port 80.

    swarm: the web is a stack now, whose nginx gives that port up first.
    """
    django, nginx = lab.nodes[service.django], lab.nodes[service.nginx]
    django_plan, nginx_plan = lab.plan(release, service.django), lab.plan(release, service.nginx)
    apart = service.mode == separate_hosts.NAME
    changed = apply(django, django_plan, DJANGO)
    wait_healthy(django, django_plan, DJANGO)
    if apart:
        static.carry(lab, service)
    if swarm:
        overlay.vacate(lab, service.nginx)
    changed |= apply(nginx, nginx_plan, FRONT)
    wait_healthy(nginx, nginx_plan, FRONT)
    where = " and ".join(dict.fromkeys((service.django, service.nginx)))
    say(where, f"{service.mode}: {release.name if changed else 'unchanged'}")


def _leave_overlay(lab: Lab, release: Release) -> None:
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


def prepare(lab: Lab, images_too: tuple[str, ...] = ()) -> Release:
    """The release of the current sources, its images in the registry: those that some plan wants.

    images_too: others that will be wanted.
    """
    if lab.current_release() is None:
        raise LabError("there is no release yet: run `fab up`")
    release = source_release(lab, only=WEB_IMAGES)
    start_registry(lab, release)
    tags = lab.wanted_tags(release) | {name: release.tags[name] for name in images_too}
    with Publishing(lab, tags) as published:
        published.wait(*WEB_IMAGES)
    return release


def deploy(lab: Lab, services: tuple[WebService, ...]) -> Release:
    """Builds and pushes the current sources and brings them to web services, one after another.

    The release becomes the lab's current one when it is brought to all of them.
    """
    whole = set(services) == set(lab.topology.web)
    if not whole and overlay.active(lab):
        raise LabError("-H: the web is a Swarm stack of all nodes now: `fab deploy` ends that")
    release = prepare(lab)
    if lab.topology.overlay:
        overlay.deploy(lab, release, partial(balance, lab, release))
    else:
        bring_services(lab, release, services)
    record(lab, release, current=whole)
    return release


def lay_static_ahead(lab: Lab, release: Release) -> None:
    """Brings a new release's static files to every nginx before any page names them.

    HAProxy hands a browser's next request to another node, whose Django may still be the old one.
    """

    def news(service: WebService) -> bool:
        plan = lab.plan(release, service.django)
        part = plan.only(DJANGO | FRONT)
        return docker.replaced(part, lab.nodes[service.django].observe(part), DJANGO | FRONT)

    web = dict(enumerate(lab.topology.web))
    if any(together({str(i): partial(news, service) for i, service in web.items()}).values()):
        together(
            {str(i): partial(static.ahead, lab, release, service) for i, service in web.items()}
        )


def bring_services(lab: Lab, release: Release, services: tuple[WebService, ...]) -> None:
    """Brings web services to a release, and ends the stack if the web is one now."""
    swarm = overlay.active(lab)
    lay_static_ahead(lab, release)
    for service in services:
        deploy_service(lab, release, service, swarm=swarm)
    balance(lab, release)
    if swarm:
        _leave_overlay(lab, release)


def clear_web(lab: Lab, release: Release, node: str) -> None:
    """Removes the web containers of a node."""
    whole = lab.plan(release, node)
    apply(lab.nodes[node], whole.only(whole.services - WEB), WEB)
