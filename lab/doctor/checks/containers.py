"""What the lab has put on each node: files, and containers that have to run as planned."""

from __future__ import annotations

from collections.abc import Iterator

from lab.doctor.checks.facts import Answer, Facts, InspectedContainer, in_time, rows
from lab.doctor.checks.nodes import on
from lab.doctor.diagnosis import Check, Failure, each
from lab.engine import memory
from lab.engine.difference import changed
from lab.engine.observation import Observation
from lab.plan.modes.web import RELEASE_FILE, STATIC_SET_FILE
from lab.plan.plans import WEB
from lab.plan.records import Container, File


def checks(facts: Facts, node: str) -> Iterator[Check]:
    yield from files(facts, node)
    yield from containers(facts, node)


def files(facts: Facts, node: str) -> Iterator[Check]:
    """The files of the node itself, and those of each container."""
    plan = facts.plans[node]
    needs = (each(f"{node}: SSH"),)
    yield Check(f"{node}: files", _changed(facts, node, plan.files, "fab up"), needs)
    for planned in plan.containers:
        if planned.reads or planned.files:
            # Which by itself starts anew only what read another content than it should have.
            again = on(node, f"docker restart {planned.name}")
            remedy = f"{'fab deploy' if planned.service in WEB else 'fab up'}; {again}"
            failure = _changed(facts, node, (*planned.reads, *planned.files), remedy)
            yield Check(f"{node}: files of {planned.name}", failure, needs)


def _changed(facts: Facts, node: str, wanted: tuple[File, ...], remedy: str) -> Failure | None:
    answer = facts.answer(node, "files")
    digests = {path: digest for digest, path in rows(answer.output, 2)}
    differing = changed(wanted, Observation(files=digests))
    # The release has a check of its own, and another one has its own static set.
    if any(file.path == RELEASE_FILE for file in differing):
        told = (RELEASE_FILE, STATIC_SET_FILE)
        differing = tuple(file for file in differing if file.path not in told)
    if not differing:
        return None
    state = "is not as the lab has it" if differing[0].path in digests else "is missing"
    more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
    return in_time(answer, Failure(f"{differing[0].path} {state}{more}", remedy))


def containers(facts: Facts, node: str) -> Iterator[Check]:
    plan, existing = facts.plans[node], facts.containers(node)
    needs = (each(f"{node}: Docker"),)
    for planned in plan.containers:
        failure = state(node, planned, existing.get(planned.name), release=bool(facts.release))
        yield Check(container(node, planned.name), failure, needs)
        alive = (each(container(node, planned.name)),)
        yield Check(memory_of(node, planned.name), short(facts, node, planned), alive)
    wanted = {planned.name for planned in plan.containers}
    strange = sorted(
        name for name, inspected in existing.items() if not inspected.task and name not in wanted
    )
    failure = Failure(f"{', '.join(strange)} should not be there", "fab up") if strange else None
    yield Check(f"{node}: nothing else of the lab", failure, needs)


def container(node: str, name: str) -> str:
    return f"{node}: container {name}"


def memory_of(node: str, name: str) -> str:
    return f"{node}: memory of {name}"


def short(facts: Facts, node: str, planned: Container) -> Failure | None:
    """Whether a container that runs had a process killed for want of memory just now."""
    inspected = facts.containers(node).get(planned.name)
    if inspected is None:
        return None
    if kills := _kills(facts.answer(node, "killed"), inspected):
        what = "a process of it was" if kills == 1 else f"{kills} processes of it were"
        return _killed(what, planned, inspected)
    said = facts.inside(node, planned.name, "java").output.strip()
    if said.startswith(memory.JAVA):
        return Failure(*memory.out_of_java(said, planned.service, inspected.memory))
    return None


def _kills(answer: Answer, inspected: InspectedContainer) -> int:
    """In the last minute, of its own limit: an event alone may be of the node's whole memory."""
    return sum(
        identity == inspected.id and (int(time) < inspected.started or int(count) > 0)
        for time, identity, count in rows(answer.output, 3)
    )


def _killed(what: str, planned: Container, inspected: InspectedContainer) -> Failure:
    again = "fab deploy" if planned.service in WEB else "make up"
    return Failure(
        f"{what} killed for memory: its limit is {inspected.memory} MiB",
        f"{memory.remedy(planned.service)}, then `{again}`",
    )


def state(
    node: str, planned: Container, inspected: InspectedContainer | None, *, release: bool
) -> Failure | None:
    """Whether a container runs, and as planned. What it does is judged by asking it."""
    name, web = planned.name, planned.service in WEB
    if inspected is None:
        return Failure("is absent", "fab deploy" if web else "fab up")
    if inspected.state == "paused":
        return Failure("is paused", on(node, f"docker unpause {name}"))
    if inspected.state != "running":
        return ended(node, planned, inspected)
    if release and not web and inspected.digest != planned.digest:
        return Failure("is not as lab.yml and the release say", "fab up")
    return None


def ended(node: str, planned: Container, inspected: InspectedContainer) -> Failure:
    if inspected.killed:
        return _killed(f"is {inspected.state}: it was", planned, inspected)
    if inspected.state == "restarting":
        return Failure(
            f"ends again and again, last with {inspected.exit_code}",
            f"fab -H {node} logs --service={planned.service}",
        )
    said = f"is {inspected.state}: it ended with {inspected.exit_code} at {inspected.ended} UTC"
    return Failure(said, on(node, f"docker start {planned.name}"))


def health(facts: Facts, node: str, name: str, *functions: str) -> Check:
    """Docker's own health check of a container that does, when asked, what it should."""
    inspected = facts.containers(node).get(name)
    ill = inspected is not None and inspected.health == "unhealthy"
    said = inspected.health_said if inspected else ""
    failure = Failure(f"Docker says unhealthy: {said}", on(node, f"docker restart {name}"))
    needs = each(container(node, name), *functions)
    return Check(f"{node}: health of {name}", failure if ill else None, (needs,))
