"""What `up`, `deploy` and `rollback` are made of: a release is brought to the nodes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from lab.balancers.balancers import balance, configure, taken_out
from lab.config.topology import WebService
from lab.context import Lab
from lab.databases import owners, replace
from lab.databases.initialize import INITIALIZED, initialize, initialized
from lab.deploy import roll, static, swarm
from lab.deploy.building import start_registry
from lab.deploy.publishing import WEB_IMAGES, Publishing, prepare, source_release
from lab.engine.apply import remove_unwanted
from lab.engine.difference import forgettable
from lab.engine.progress import interrupted, say, together
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.plan.plans import ALL, DATA, WEB
from lab.release import releases
from lab.release.images import IMAGES
from lab.release.releases import JournalEntry, Outcome, Release

# Releases whose images a node keeps, the live one among them.
IMAGES_KEPT = 3


def bring_up(lab: Lab) -> Release:
    """All that comes after the machines; what takes longest to become ready is started first."""
    release = source_release(lab, lab.current_release())
    start_registry(lab, release)
    up = BringUp(lab, release)
    with Publishing(lab, lab.wanted_tags(release)) as published:
        published.wait("mysql", "cassandra")
        up.make_room()
        up.start_databases()
        up.prepare(published)
        published.wait(*IMAGES)
    up.roll()
    up.tidy()
    record(lab, release, "live")
    owners.take_over(lab, release)
    return release


class BringUp:
    """The lab on its way to a release: everything, not the web alone."""

    def __init__(self, lab: Lab, release: Release) -> None:
        self.lab, self.release = lab, release
        settings = lab.topology.settings
        servers = dict.fromkeys((*settings.mysql, *settings.cassandra))
        self.plans = {name: lab.plan(release, name) for name in servers}
        self.in_swarm = swarm.active(lab)
        self.changing = roll.changes(lab, release, lab.topology.web)
        self.serving = any(change.serves for change in self.changing.values())
        self.lacking: frozenset[str] = frozenset()

    def make_room(self) -> None:
        """Removes what has to go first, on all nodes."""
        together({name: partial(self._make_room_on, name) for name in self.lab.topology.names})

    def _make_room_on(self, name: str) -> None:
        # Of a node that serves, the web goes when its successor comes.
        web = WEB if name in self.lab.topology.web_nodes else frozenset()
        plan = self.lab.plan(self.release, name)
        remove_unwanted(self.lab.nodes[name], plan, ALL - DATA - web)

    def start_databases(self) -> None:
        replace.start(self.lab, self.plans)

    def prepare(self, published: Publishing) -> None:
        """Makes databases and web ready, at the same time, as soon as their images are there."""
        work: dict[str, Callable[[], None]] = {
            "databases": partial(self._prepare_databases, published),
            "web": partial(self._prepare_web, published),
        }
        together(work)

    def _prepare_databases(self, published: Publishing) -> None:
        # The balancers lead to the databases, so both have to be there first.
        published.wait("haproxy")
        configure(self.lab, self.release)
        replace.wait(self.lab, self.plans)
        say("lab", "data tier healthy")
        published.wait("webapp_django")
        initialize(self.lab, self.release)

    def _prepare_web(self, published: Publishing) -> None:
        """What serves goes on until its turn comes; where nothing does, all starts at once."""
        published.wait(*WEB_IMAGES)
        if self.serving:
            self.lacking = roll.lay_ahead(self.lab, self.release)
        else:
            roll.start(self.lab, self.release, in_swarm=self.in_swarm)

    def roll(self) -> None:
        """Brings what serves to the release, one service after another."""
        left = taken_out(self.lab)
        due = tuple(s for s in self.lab.topology.web if self.serving or s.nginx in left)
        roll.roll(
            *(self.lab, self.release, due, self.changing, self.lacking), in_swarm=self.in_swarm
        )
        if self.in_swarm:
            roll.leave_overlay(self.lab, self.release)

    def tidy(self) -> None:
        """Removes what lab.yml no longer has, and files that no page names any more."""
        roll.remove_leftovers(self.lab, self.release)
        static.prune(self.lab)
        replace.remove(self.lab, self.release, self.plans)


def deploy(lab: Lab, services: tuple[WebService, ...]) -> Release:
    """Builds and pushes the current sources and brings them to web services, one after another.

    The release becomes the lab's current one when it is brought to all of them.
    """
    whole = set(services) == set(lab.topology.web)
    if not whole and swarm.active(lab):
        raise LabError("-H: the web is a Swarm stack of all nodes now: `fab deploy` ends that")
    release = prepare(lab)
    # Once, before the first node: the release before has to be able to work with it.
    databases = None
    if not initialized(lab, release):
        databases = partial(initialize, lab, release, only_news=True)
    # Until the end, the history says that it was tried.
    lab.builder.put(release.files(current=False))
    try:
        if lab.topology.overlay:
            if databases:
                databases()
            swarm.deploy(lab, release, partial(balance, lab, release))
        else:
            roll.bring(lab, release, services, databases)
    except LabError as error:
        if not interrupted():
            record(lab, release, "failed", str(error).splitlines()[0])
        raise
    if whole:
        record(lab, release, "live")
        owners.take_over(lab, release)
        forget_images(lab)
    else:
        record(lab, release, "one node", ", ".join(service.nginx for service in services))
    return release


def forget_images(lab: Lab) -> None:
    """Removes the web images of older releases from the nodes; the registry has them.

    Where that fails it is only said: the release is live.
    """
    names = dict.fromkeys(e.release for e in reversed(_journal(lab)) if e.outcome == "live")

    def recorded(name: str) -> Release | None:
        with suppress(LabError):
            return _recorded(lab, name)
        return None

    found = together({name: partial(recorded, name) for name in list(names)[:IMAGES_KEPT]})
    recent = [release for release in found.values() if release]
    kept = frozenset(image for release in recent for image in lab.site(release).images.values())

    def one(node: Node) -> None:
        for image in forgettable(node.observe(), frozenset(WEB_IMAGES), kept):
            node.attempt_change("docker", "image", "rm", image)

    try:
        together({name: partial(one, node) for name, node in lab.nodes.items()})
    except LabError as error:
        say("lab", f"old images stay: {error}")


def rollback(lab: Lab, name: str) -> Release:
    """Goes back to a release of the history: its images, and its web services as they were.

    name: which one; empty: the one that was live before. The databases stay as they are.
    """
    current = lab.require_release()
    release = _recorded(lab, name or releases.previous(_journal(lab), current.name))
    if release.lacking:
        lacking = ", ".join(release.lacking)
        raise LabError(f"rollback: {release.name} has no {lacking}: an older lab made it")
    # The web goes back; the databases, the balancers and the registry stay as they are.
    web_tags = {image: release.tags[image] for image in WEB_IMAGES}
    release = release.model_copy(update={"tags": current.tags | web_tags})
    before = lab.as_of(release)
    # Which may be an older one, and has the databases looked at again by the next deploy.
    lab.builder.change("rm", "--force", INITIALIZED)
    databases = partial(owners.expect_older_release, lab)
    if swarm.active(lab):
        stack = Lab(before.topology.with_overlay())
        databases()
        swarm.deploy(stack, release, partial(balance, stack, release))
    else:
        roll.bring(before, release, before.topology.web, databases)
    record(lab, release, "live")
    owners.take_over(lab, release)
    return release


def history(lab: Lab) -> str:
    """The releases as a table."""
    current = lab.current_release()
    names = lab.builder.run("ls", releases.RELEASES_FOLDER).split() if current else []
    found = [_recorded(lab, n.removesuffix(".json")) for n in names if n.endswith(".json")]
    return releases.table(found, _journal(lab), current.name if current else "")


def record(lab: Lab, release: Release, outcome: Outcome, detail: str = "") -> None:
    """Writes the release into the history on the builder, and what became of it."""
    lab.builder.put(release.files(current=outcome == "live"))
    lives = [entry.release for entry in _journal(lab) if entry.outcome == "live"]
    if outcome == "live" and lives[-1:] == [release.name]:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = JournalEntry(time=now, release=release.name, outcome=outcome, detail=detail)
    line = entry.model_dump_json() + "\n"
    lab.builder.feed(line, "tee", "--append", releases.JOURNAL)


def _journal(lab: Lab) -> tuple[JournalEntry, ...]:
    status, lines, _ = lab.builder.attempt("cat", releases.JOURNAL)
    return releases.parse_journal(lines) if status == 0 else ()


def _recorded(lab: Lab, name: str) -> Release:
    status, text, _ = lab.builder.attempt("cat", f"{releases.RELEASES_FOLDER}/{name}.json")
    if status != 0:
        raise LabError(f"{name!r} is no release: see `fab releases`")
    return releases.parse(text)
