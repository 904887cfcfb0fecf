"""Brings the whole lab up: databases, balancers and web, each part only where something differs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lab.balancers.balancers import configure, taken_out
from lab.config.modes import FRONTS
from lab.config.topology import WebService
from lab.context import Lab
from lab.databases import replace
from lab.databases.initialize import initialize, initialized
from lab.deploy import roll, services, static, swarm
from lab.deploy.changes import changes
from lab.deploy.history import conclude
from lab.deploy.publishing import Publishing, source_release
from lab.engine.apply import introduce, remove_unwanted
from lab.engine.progress import phase, say, together
from lab.plan.plans import ALL, DATA, MYSQL, WEB
from lab.release.images import IMAGES, WEB_IMAGES
from lab.release.releases import Release


def bring_up(lab: Lab, services: tuple[WebService, ...] = ()) -> Release:
    """All that comes after the machines; what takes longest to become ready is started first.

    services: of the web these alone, in a lab that has no release yet (else all). The release
    becomes the current one once it is on all of them.
    """
    release = source_release(lab, lab.current_release())
    introduce_new(lab, release)
    up = BringUp(lab, release, services or lab.topology.web)
    with phase("build and start"), Publishing(lab, release, lab.wanted_tags(release)) as published:
        published.wait("mysql", "cassandra")
        up.make_room()
        up.start_databases()
        up.prepare(published)
        published.wait(*IMAGES)
    up.roll()
    up.tidy()
    conclude(lab, release, up.services, up.left)
    return release


def introduce_new(lab: Lab, release: Release) -> None:
    """Brings the nodes that run nothing yet what they need to pull.

    Not the others: what serves until its turn comes needs the firewall of before.
    """

    def look(name: str) -> None:
        if not lab.nodes[name].observe().running:
            introduce(lab.nodes[name], lab.plan(release, name))

    together({name: partial(look, name) for name in lab.topology.names})


class BringUp:
    """The lab on its way to a release: everything, not the web alone.

    services: of the web, these and no others.
    """

    def __init__(self, lab: Lab, release: Release, services: tuple[WebService, ...]) -> None:
        self.lab, self.release = lab, release
        settings = lab.topology.settings
        servers = dict.fromkeys((*settings.mysql, *settings.cassandra))
        self.plans = {name: lab.plan(release, name) for name in servers}
        self.in_swarm = swarm.active(lab)
        self.changing = changes(lab, release, lab.topology.web)
        self.left = tuple(service for service in self.changing if service not in services)
        # Those of earlier deploys have the release already, if perhaps by another name.
        self.services = services if self.left else lab.topology.web
        self.serving = any(change.serves for change in self.changing.values())
        self.lacking: frozenset[str] = frozenset()

    def make_room(self) -> None:
        """Removes what has to go first, on all nodes."""
        together({name: partial(self._make_room_on, name) for name in self.lab.topology.names})

    def _make_room_on(self, name: str) -> None:
        # Only the first balancer has port 80 of its node; else the web goes once others serve.
        first_balancer = self.lab.topology.settings.balancers[0]
        kept = WEB - FRONTS if name == first_balancer else WEB
        plan = self.lab.plan(self.release, name)
        remove_unwanted(self.lab.nodes[name], plan, ALL - DATA - kept)

    def start_databases(self) -> None:
        replace.start(self.lab, self.plans)

    def prepare(self, published: Publishing) -> None:
        """Makes databases and web ready, at the same time, as soon as their images are there."""
        tasks: dict[str, Callable[[], None]] = {
            "databases": partial(self._prepare_databases, published),
            "web": partial(self._prepare_web, published),
        }
        together(tasks)

    def _prepare_databases(self, published: Publishing) -> None:
        # The balancers lead to the databases, so both have to be there first.
        published.wait("haproxy")
        configure(self.lab, self.release)
        tasks: dict[str, Callable[[], None]] = {
            "healthy": self._wait_healthy,
            "initialized": partial(self._initialize, published),
        }
        together(tasks)

    def _wait_healthy(self) -> None:
        replace.wait(self.lab, self.plans)
        say("lab", "data tier healthy")

    def _initialize(self, published: Publishing) -> None:
        # Cassandra, which takes longer, is waited for by its own half of it.
        replace.wait(self.lab, self.plans, MYSQL)
        published.wait("webapp_django")
        again = initialized(self.lab, self.release)
        initialize(self.lab, self.release, only_news=again)

    def _prepare_web(self, published: Publishing) -> None:
        """What serves goes on until its turn comes; where nothing does, all starts at once."""
        published.wait(*WEB_IMAGES)
        if self.serving:
            self.lacking = services.lay_ahead(self.lab, self.release)
        else:
            services.start(self.lab, self.release, self.services, in_swarm=self.in_swarm)

    def roll(self) -> None:
        """Brings what serves to the release, one service after another."""
        left = taken_out(self.lab)
        due = tuple(s for s in self.services if self.serving or s.nginx in left)
        roll.roll(
            *(self.lab, self.release, due, self.changing, self.lacking), in_swarm=self.in_swarm
        )
        if self.in_swarm:
            roll.leave_overlay(self.lab, self.release)

    def tidy(self) -> None:
        """Removes what lab.yml no longer has, and files that no page names any more."""
        services.remove_leftovers(self.lab, self.release)
        static.prune(self.lab, self.services)
        replace.remove(self.lab, self.release, self.plans)
