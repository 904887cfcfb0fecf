"""Starts, replaces and removes database servers, never more than one that serves at a time."""

from __future__ import annotations

from functools import partial

from lab.context import Lab
from lab.engine.apply import apply, remove_unwanted, wait_healthy
from lab.engine.difference import interrupts
from lab.engine.progress import together
from lab.plan.plans import DATA
from lab.plan.records import Plan
from lab.release.releases import Release


def start(lab: Lab, plans: dict[str, Plan]) -> None:
    """Starts what does not serve, everywhere at once; what serves is replaced node by node.

    No more than one server is missing at any time: each waits until all others are healthy.
    """

    def start_one(name: str) -> frozenset[str]:
        """The services that have to wait for their node's turn."""
        observation = lab.nodes[name].observe(plans[name].only(DATA))
        serving = {one for one in DATA if interrupts(plans[name], observation, frozenset({one}))}
        # Nobody gets a turn before what a cut-off task had stopped is there again.
        apply(lab.nodes[name], plans[name], DATA - serving)
        return frozenset(serving)

    waiting = together({name: partial(start_one, name) for name in plans})
    for turn in (name for name in plans if waiting[name]):
        wait(lab, plans)
        apply(lab.nodes[turn], plans[turn], waiting[turn])
    if any(waiting.values()):
        wait(lab, plans)


def remove(lab: Lab, release: Release, plans: dict[str, Plan]) -> None:
    """Takes database servers away that lab.yml no longer has: last, and one after another."""
    for name in lab.topology.names:
        if remove_unwanted(lab.nodes[name], lab.plan(release, name), DATA):
            wait(lab, plans)


def wait(lab: Lab, plans: dict[str, Plan], servers: frozenset[str] = DATA) -> None:
    """Returns once all of them are healthy, or those of one kind."""
    together(
        {
            name: partial(wait_healthy, lab.nodes[name], plan, servers)
            for name, plan in plans.items()
        }
    )
