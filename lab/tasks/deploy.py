"""Builds, publishes and brings programs to the nodes: what `up` and `deploy` are made of."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

from lab import images, releases
from lab.images import IMAGES
from lab.modes import separate_hosts
from lab.plan import BALANCER, DATA
from lab.progress import say, together
from lab.releases import Release
from lab.tasks import static
from lab.tasks.apply import apply, wait_healthy
from lab.tasks.context import Lab
from lab.tasks.images import missing, publish, record, send_sources, start_registry
from lab.tasks.initialize import initialize
from lab.topology import WebService

WEB_IMAGES = ("webapp_django", "webapp_nginx")
DJANGO, NGINX = frozenset({"django"}), frozenset({"nginx"})


class Publishing:
    """Images on their way to the registry, all at the same time; what is there already is."""

    def __init__(self, lab: Lab, tags: dict[str, str]) -> None:
        absent = missing(lab, tags)
        if absent:
            send_sources(lab)
        self._pool = ThreadPoolExecutor(max_workers=len(IMAGES))
        self._futures: dict[str, Future[None]] = {
            name: self._pool.submit(publish, lab, IMAGES[name], tag) for name, tag in absent.items()
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
    with Publishing(lab, release.tags) as published:
        published.wait("mysql", "cassandra")
        together({name: partial(_start_data, lab, release, name) for name in servers})
        together(
            {
                "databases": partial(_databases, lab, release, servers, published),
                **{
                    f"web {index}": partial(_web, lab, release, service, published)
                    for index, service in enumerate(lab.topology.web)
                },
            }
        )
        published.wait(*IMAGES)
    record(lab, release)
    return release


def _start_data(lab: Lab, release: Release, name: str) -> None:
    apply(lab.nodes[name], lab.plan(release, name), DATA)


def _databases(lab: Lab, release: Release, servers: tuple[str, ...], published: Publishing) -> None:
    """The balancers lead to the databases, so both have to be there before they are initialized."""

    def data(name: str) -> None:
        wait_healthy(lab.nodes[name], lab.plan(release, name), DATA)
        say(name, "data tier healthy")

    published.wait("haproxy")
    balance(lab, release)
    together({name: partial(data, name) for name in servers})
    published.wait("webapp_django")
    initialize(lab, release)


def balance(lab: Lab, release: Release) -> None:
    """Brings the balancers to their plan: a changed configuration is read again, not restarted."""

    def one(name: str) -> None:
        node, plan = lab.nodes[name], lab.plan(release, name)
        apply(node, plan, BALANCER)
        wait_healthy(node, plan, BALANCER)

    together({name: partial(one, name) for name in lab.topology.settings.balancers})


def _web(lab: Lab, release: Release, service: WebService, published: Publishing) -> None:
    published.wait(*WEB_IMAGES)
    deploy_service(lab, release, service)


def deploy_service(lab: Lab, release: Release, service: WebService) -> None:
    """Brings one web service to the release: Django first, then its static files, then nginx."""
    django, nginx = lab.nodes[service.django], lab.nodes[service.nginx]
    django_plan, nginx_plan = lab.plan(release, service.django), lab.plan(release, service.nginx)
    changed = apply(django, django_plan, DJANGO)
    wait_healthy(django, django_plan, DJANGO)
    if service.mode == separate_hosts.NAME:
        static.carry(lab, service)
    changed |= apply(nginx, nginx_plan, NGINX)
    wait_healthy(nginx, nginx_plan, NGINX)
    where = " and ".join(dict.fromkeys((service.django, service.nginx)))
    say(where, f"{service.mode}: {release.name if changed else 'unchanged'}")


def deploy(lab: Lab, services: tuple[WebService, ...]) -> Release:
    """Builds and pushes the current sources and brings them to web services, one after another."""
    release = source_release(lab, only=WEB_IMAGES)
    start_registry(lab, release)
    with Publishing(lab, {name: release.tags[name] for name in WEB_IMAGES}) as published:
        published.wait(*WEB_IMAGES)
    for service in services:
        deploy_service(lab, release, service)
    record(lab, release)
    return release
