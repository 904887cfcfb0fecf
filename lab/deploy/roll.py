"""Brings the web services to a release, one after another, without losing a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from lab.balancers.balancers import configure, drained, taken_out
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy import static, swarm
from lab.deploy.changes import Change, changes
from lab.deploy.services import (
    fronts,
    lay,
    lay_ahead,
    nodes_of,
    remove_leftovers,
    start_service,
    tidy,
    where,
)
from lab.deploy.warm_up import warm_up
from lab.engine.apply import HEALTHY_SECONDS, apply, wait_healthy
from lab.engine.progress import interrupted, phase, say, together
from lab.errors import LabError
from lab.plan.plans import WEB
from lab.release.releases import Release

# Until a web container that replaces a serving one must be healthy; it takes about 3.
REPLACED_SECONDS = 60


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
            "static files": partial(static.prune, lab, lab.topology.web),
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
            with phase(", ".join(map(where, services))):
                together({where(service): partial(act, service) for service in services})
        except LabError as error:
            if self.in_swarm or interrupted():
                raise
            raise _put_back(self.lab, self.changed, error) from None

    def replace(self, service: WebService) -> None:
        self.later.discard(service.nginx)
        with drained(self.lab, *fronts(self.lab, service), later=self.later):
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
    """Brings the nodes of services back to the current release, if any; what to raise then."""
    current = lab.current_release()
    if not current:
        return error
    say("lab", f"{str(error).splitlines()[0]}")
    try:
        _bring_back(lab.as_of(current), current, nodes_of(changed))
    except LabError as second:
        return LabError(f"{error}\nand the release before could not be put back: {second}")
    return LabError(f"{error}\nthe web is back at {current.name}")


def _bring_back(before: Lab, current: Release, nodes: frozenset[str]) -> None:
    say("lab", f"putting back {current.name} on {' and '.join(sorted(nodes))}")
    # The one that failed is first: the others serve.
    for service in reversed(before.topology.web):
        if nodes & nodes_of([service]):
            # A wiring that had no place for its volume or folder may have removed them.
            lay(before, current, service, static.serving(before))
            with drained(before, *fronts(before, service)):
                start_service(before, current, service, seconds=REPLACED_SECONDS)
    together({name: partial(tidy, before, current, name) for name in nodes})


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
