"""What a release changes in each web service, before anything is touched."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from lab.config.topology import WebService
from lab.context import Lab
from lab.engine.difference import changed, difference, interrupts
from lab.engine.progress import together
from lab.plan.modes.web import STATIC_SET_FILE
from lab.plan.plans import WEB
from lab.release.releases import Release


class Change(NamedTuple):
    """What a release changes in a web service.

    containers: some of them; static_set: which files pages name; serves: it serves well until then.
    """

    containers: bool
    static_set: bool
    serves: bool


def left_behind(
    lab: Lab, release: Release, services: tuple[WebService, ...]
) -> tuple[WebService, ...]:
    """The other web services, as far as they do not run the release."""
    return tuple(changes(lab, release, tuple(s for s in lab.topology.web if s not in services)))


def changes(
    lab: Lab, release: Release, services: tuple[WebService, ...]
) -> dict[WebService, Change]:
    """The services that a release changes, and what of them."""

    def of_node(node: str) -> Change:
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
        f"{i} {node}": partial(of_node, node)
        for i, service in enumerate(services)
        for node in dict.fromkeys((service.django, service.nginx))
    }
    changed_on = together(nodes)
    answer = {}
    for i, service in enumerate(services):
        own = [changed_on[f"{i} {node}"] for node in dict.fromkeys((service.django, service.nginx))]
        change = Change(*(any(parts) for parts in zip(*own, strict=True)))
        if change.containers or change.static_set:
            answer[service] = change
    return answer
