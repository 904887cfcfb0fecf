"""Brings the web services to a release, one after another, without losing a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Turns:
    """In which order web services come to a release.

    replaced: one after another, and no request comes to them meanwhile; renamed: all at the same
    time, while they serve: told another static set; kept: they go on as they are, but for the
    release's name.
    """

    replaced: tuple[WebService, ...] = ()
    renamed: tuple[WebService, ...] = ()
    kept: tuple[WebService, ...] = ()


def turns(
    services: tuple[WebService, ...],
    changing: Mapping[WebService, Change],
    left: Collection[str],
    lacking: Collection[str],
    *,
    other_set: bool,
) -> Turns:
    """left: each nginx that a killed task left drained, perhaps with a release that does not serve:
    it is tried before it gets requests again, too; lacking: names that pages may use, and for which
    the release has no file; other_set: whether the release's static set is another than the
    current one's, or there is no current one.
    """

    def stands_aside(service: WebService) -> bool:
        change = changing.get(service)
        return service.nginx in left or bool(change and (change.containers or lacking))

    replaced = tuple(service for service in services if stands_aside(service))
    rest = tuple(service for service in services if service not in replaced)
    # Those that seem to keep their set may have been told of another one by a killed task, untried.
    return Turns(replaced, renamed=rest) if other_set else Turns(replaced, kept=rest)


def roll(
    lab: Lab,
    release: Release,
    services: tuple[WebService, ...],
    changing: Mapping[WebService, Change],
    lacking: frozenset[str],
    *,
    in_swarm: bool,
) -> None:
    """Brings web services to a release, each in its turn; what was changed is put back if it fails.

    lacking: as `turns` has it; in_swarm: the web is a stack now, whose nginx gives port 80 up
    first, and nothing is put back.
    """
    left = taken_out(lab)
    current = lab.current_release()
    other_set = not current or current.tags["webapp_static"] != release.tags["webapp_static"]
    if lacking:
        names = ", ".join(sorted(lacking))
        say("lab", f"pages may name what is no static file now: {names}: one node after another")
    due = turns(services, changing, left, lacking, other_set=other_set)
    Roll(lab, release, in_swarm=in_swarm, left=left).take(due)


class Roll:
    """Web services on their way to a release."""

    def __init__(self, lab: Lab, release: Release, *, in_swarm: bool, left: frozenset[str]) -> None:
        self.lab, self.release, self.in_swarm = lab, release, in_swarm
        # The nginx whose turn comes yet. They may not serve before: a killed task left one drained,
        # or its Django has moved, and it is not told yet.
        self.later = set(left)
        self.changed: list[WebService] = []

    def take(self, turns: Turns) -> None:
        self.later |= {service.nginx for service in turns.replaced}
        for service in turns.replaced:
            self._take_turn((service,), self.replace)
        self._take_turn(turns.renamed, self.rename)
        # Last: a bad release has not even given them its name then.
        self._take_turn(turns.kept, self.keep)

    def _take_turn(
        self, services: tuple[WebService, ...], act: Callable[[WebService], None]
    ) -> None:
        if not services:
            return
        self.changed.extend(services)
        try:
            with phase(", ".join(map(_where, services))):
                together({_where(service): partial(act, service) for service in services})
        except LabError as error:
            if self.in_swarm or interrupted():
                raise
            raise _put_back(self.lab, self.changed, error) from None

    def replace(self, service: WebService) -> None:
        self.later.discard(service.nginx)
        with drained(self.lab, *_fronts(self.lab, service), later=self.later):
            self._start(service, REPLACED_SECONDS)
            warm_up(self.lab, self.release, service)

    def rename(self, service: WebService) -> None:
        self._start(service)
        warm_up(self.lab, self.release, service)

    def keep(self, service: WebService) -> None:
        self._start(service)

    def _start(self, service: WebService, seconds: float = HEALTHY_SECONDS) -> None:
        start_service(self.lab, self.release, service, in_swarm=self.in_swarm, seconds=seconds)


def _put_back(lab: Lab, changed: list[WebService], error: LabError) -> LabError:
    """Brings the nodes of services back to the current release; what to raise then."""
    say("lab", f"{str(error).splitlines()[0]}")
    try:
        current = lab.require_release()
        _bring_back(lab.as_of(current), current, _nodes(changed))
    except LabError as second:
        return LabError(f"{error}\nand the release before could not be put back: {second}")
    return LabError(f"{error}\nthe web is back at {current.name}")


def _bring_back(before: Lab, current: Release, nodes: frozenset[str]) -> None:
    say("lab", f"putting back {current.name} on {' and '.join(sorted(nodes))}")
    # The one that failed is first: the others serve.
    for service in reversed(before.topology.web):
        if nodes & _nodes([service]):
            # A wiring that had no place for its volume or folder may have removed them.
            lay(before, current, service, static.serving(before))
            with drained(before, *_fronts(before, service)):
                start_service(before, current, service, seconds=REPLACED_SECONDS)
    together({name: partial(_tidy, before, current, name) for name in nodes})


def _nodes(services: Iterable[WebService]) -> frozenset[str]:
    return frozenset(node for service in services for node in (service.django, service.nginx))


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
