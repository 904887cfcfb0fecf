"""Brings one node to its plan, touching only what differs."""

from __future__ import annotations

from functools import partial

from lab.engine.difference import Difference, difference, pulls, unwanted
from lab.engine.observation import Observation, Running
from lab.engine.progress import go_on, say, together
from lab.engine.ssh import POLL_SECONDS, Node, RemoteError, wait_until
from lab.engine.steps import Pull, Step
from lab.engine.waits import work
from lab.plan.records import Plan

# Seconds until a container must be healthy. Cassandra is the slowest: about 15 s alone, several
# times that while images are built on the same two cores.
HEALTHY_SECONDS = 240
HOPELESS_RESTARTS = 5

# What has the node follow its own files.
FOLLOW = ("sh", "-ec", "lab-names; lab-firewall")


def apply(node: Node, plan: Plan, services: frozenset[str]) -> bool:
    """Makes the node run the plan's containers of some services. Returns whether it had to act.

    After Ctrl-C it is ended all the same once a container was stopped.
    """
    changed, _ = _applied(node, plan, services)
    return changed


def introduce(node: Node, plan: Plan) -> None:
    """Brings the node what it has whatever it runs: all names, its firewall, the registry's CA."""
    apply(node, plan, frozenset())


def settle(
    node: Node, plan: Plan, services: frozenset[str], seconds: float = HEALTHY_SECONDS
) -> bool:
    """Like apply, and returns once the containers are healthy."""
    changed, well = _applied(node, plan, services)
    if not well:
        wait_healthy(node, plan, services, seconds)
    return changed


def _applied(node: Node, plan: Plan, services: frozenset[str]) -> tuple[bool, bool]:
    """Whether it had to act; whether all containers were found as they should be, and healthy."""
    # Never in the main thread, where Ctrl-C would stop it between a stop and a start.
    return together({node.name: partial(_apply, node, plan, services)})[node.name]


def _apply(node: Node, plan: Plan, services: frozenset[str]) -> tuple[bool, bool]:
    go_on()
    part = plan.only(services)
    with node.changing:
        observation = node.observe(part)
        due = difference(plan, observation, services)
        _carry_out(node, due)
    return bool(due.files or due.steps), not due.steps and not _ill(part, observation)


def _carry_out(node: Node, due: Difference) -> None:
    node.put(due.files)
    # Also when they are as they were: a task that was cut off may have written them and no more.
    node.run(*FOLLOW)
    _pull(node, due.pulls)
    go_on()
    for step in due.steps:
        _take(node, step)
    node.put(due.notes)


def _pull(node: Node, pulls: tuple[Pull, ...]) -> None:
    for step in pulls:
        go_on()
        _take(node, step)


def _take(node: Node, step: Step) -> None:
    say(node.name, step.words)
    with work(node.name, step.words):
        for command in step.commands:
            node.change(*command)


def pull(node: Node, plan: Plan, services: frozenset[str]) -> None:
    """Brings the images of the plan's containers of some services to the node."""
    part = plan.only(services)
    with node.changing:
        _pull(node, pulls(part, node.observe()))


def remove_unwanted(node: Node, plan: Plan, services: frozenset[str]) -> bool:
    """Removes the containers of those programs that the plan has no place for on this node.

    Returns whether there were any.
    """
    gone = unwanted(plan, node.observe()) & services
    return bool(gone) and apply(node, plan, gone)


def wait_healthy(
    node: Node, plan: Plan, services: frozenset[str], seconds: float = HEALTHY_SECONDS
) -> None:
    """Returns once the plan's containers of some services are healthy."""
    part = plan.only(services)
    if not part.containers:
        return

    def look() -> dict[str, str]:
        observation = node.observe(healthy=[one.name for one in part.containers])
        for container in part.containers:
            running = observation.containers.get(container.name)
            if running and running.restarts >= HOPELESS_RESTARTS:
                raise RemoteError(
                    f"{node.name}: {running.name} ends again and again;"
                    f" {end_of_log(node, running.name)}"
                )
        return _ill(part, observation)

    def advice(ill: dict[str, str]) -> str:
        return end_of_log(node, next(iter(ill)))

    subject = f"{node.name}: healthy containers"
    wait_until(
        subject, look, lambda ill: not ill, seconds=seconds, advice=advice, pause=POLL_SECONDS
    )


def _ill(plan: Plan, observation: Observation) -> dict[str, str]:
    """The plan's containers that are not healthy, and how they are."""
    ill = {c.name: _illness(observation.containers.get(c.name)) for c in plan.containers}
    return {name: illness for name, illness in ill.items() if illness}


def _illness(running: Running | None) -> str:
    if running is None:
        return "absent"
    return "" if running.well else running.condition


def end_of_log(node: Node, name: str) -> str:
    """Behind what the log can't tell: that it was killed for memory."""
    _, output, errors = node.attempt("docker", "logs", "--tail", "12", name)
    killed = node.killed(name)
    return (
        f"{killed}{'; ' if killed else ''}the end of its log"
        f" (more: `fab -H {node.name} logs`):\n{output}{errors}"
    )
