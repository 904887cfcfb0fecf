"""The difference between what is wanted on a node and what was found there, as steps.

Pure: takes a Plan and an Observation. What a step does on the node is lab/engine/steps.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.engine.observation import Observation, Running
from lab.engine.steps import (
    READ,
    CreateNetwork,
    CreateVolume,
    Pull,
    Readdress,
    Reload,
    Remove,
    RemoveFolder,
    RemoveNetwork,
    RemoveVolume,
    Replace,
    Start,
    Step,
    addressed_script,
    short_image,
)
from lab.plan.records import Container, File, Plan


@dataclass(frozen=True, slots=True)
class Difference:
    """What makes a node run the plan's containers of some services, and no others of theirs.

    In this order: files are written, images pulled, steps taken, and what the containers have read
    is noted. Without the notes a task that was cut off between writing a file and telling its
    reader would leave the reader behind for good.
    """

    files: tuple[File, ...]
    pulls: tuple[Pull, ...]
    steps: tuple[Step, ...]
    notes: tuple[File, ...]


def difference(plan: Plan, found: Observation, services: frozenset[str]) -> Difference:
    wanted = plan.only(services)
    return Difference(
        files=changed(files(wanted), found),
        pulls=pulls(wanted, found),
        steps=(
            *_removals(wanted, found, services),
            *_networks_and_volumes(wanted, found),
            *_starts(wanted, found),
            *_disposals(plan, found, services),
        ),
        notes=changed(notes(wanted), found),
    )


def files(plan: Plan) -> tuple[File, ...]:
    """Everything that has to be on the node before containers start."""
    scripts = (addressed_script(c) for c in plan.containers if c.addressed)
    return (*plan.all_files, *scripts)


def paths(plan: Plan) -> tuple[str, ...]:
    """The files of which a difference has to know what the node has."""
    return tuple(file.path for file in (*files(plan), *notes(plan)))


def notes(plan: Plan) -> tuple[File, ...]:
    """What is noted on the node once its containers have read their files."""
    return tuple(_note(container) for container in plan.containers if container.reads)


def _note(container: Container) -> File:
    return File(f"{READ}/{container.name}", container.reads_digest, mode=0o600)


def changed(files: tuple[File, ...], found: Observation) -> tuple[File, ...]:
    """The files that the node lacks or has otherwise."""
    return tuple(file for file in files if found.files.get(file.path) != file.digest)


def pulls(plan: Plan, found: Observation) -> tuple[Pull, ...]:
    """Brings the images that the node lacks."""
    return tuple(Pull(image) for image in plan.images if image not in found.images)


def forgettable(found: Observation, names: frozenset[str], kept: frozenset[str]) -> tuple[str, ...]:
    """Images of those names (webapp_django, ...) that are not kept and that no container uses."""
    used = {running.image for running in (*found.containers.values(), *found.tasks.values())}
    named = (i for i in found.images if short_image(i).split(":", 1)[0] in names)
    return tuple(sorted(set(named) - used - kept))


def unwanted(plan: Plan, found: Observation) -> frozenset[str]:
    """The services of which the plan wants no container, and one is there."""
    return frozenset(running.service for running in found.containers.values()) - plan.services


def interrupts(plan: Plan, found: Observation, services: frozenset[str]) -> bool:
    """Whether a container that serves well would be stopped to bring the node to its plan."""
    return any(
        found.containers[name].well
        for step in difference(plan, found, services).steps
        if (name := _stopped(step))
    )


def _stopped(step: Step) -> str:
    match step:
        case Replace(container):
            return container.name
        case Remove(name):
            return name
    return ""


def _removals(wanted: Plan, found: Observation, services: frozenset[str]) -> Iterator[Step]:
    names = {container.name for container in wanted.containers}
    for running in found.containers.values():
        if running.service in services and running.name not in names:
            yield Remove(running.name, running.leave, "it is not wanted here")


def _networks_and_volumes(wanted: Plan, found: Observation) -> Iterator[Step]:
    for network in wanted.networks:
        if network not in found.networks:
            yield CreateNetwork(network)
    for volume in wanted.volumes:
        if volume.name not in found.volumes:
            yield CreateVolume(volume)


def _starts(wanted: Plan, found: Observation) -> Iterator[Step]:
    started: set[str] = set()
    for container in wanted.containers:
        step = _start(container, found, started)
        if isinstance(step, Start | Replace):
            started.add(container.name)
        if step:
            yield step


def _start(container: Container, found: Observation, started: set[str]) -> Step | None:
    """started: the containers that are started anew before this one."""
    running = found.containers.get(container.name)
    news = bool(container.reads and changed((_note(container),), found))
    if running is None:
        return Start(container, "it is absent")
    if reason := _unlike(container, running, news):
        return Replace(container, reason)
    if news:
        return Reload(container, "what it reads has changed")
    if reason := _told_wrongly(container, running, found, started):
        return Readdress(container, reason)
    return None


def _unlike(container: Container, running: Running, news: bool) -> str:
    """Why the container has to be replaced; empty if it need not be."""
    if running.state != "running":
        return f"it is {running.condition}"
    if running.image != container.image:
        return f"{short_image(container.image)} instead of {short_image(running.image)}"
    if running.digest != container.digest:
        return "it was started with other settings"
    return "what it reads has changed" if news and not container.reload else ""


def _told_wrongly(
    container: Container, running: Running, found: Observation, started: set[str]
) -> str:
    """Why it has to be told another address; empty if it was started with today's."""
    if container.addressed is None:
        return ""
    name = container.addressed.container
    if name in started:
        return f"{name} may get another address"
    other = found.containers.get(name)
    return "" if other and running.told == other.address else f"{name} has another address"


def _disposals(plan: Plan, found: Observation, services: frozenset[str]) -> Iterator[Step]:
    names = {container.name for container in plan.containers}
    others = (r for r in found.containers.values() if r.service not in services)
    if found.tasks and not plan.stack:
        return  # Swarm's tasks still use what only the stack's plan names.
    if any(running.name not in names for running in others):
        return  # A later step removes these, and what only they use.
    for network in sorted(found.networks - set(plan.networks)):
        yield RemoveNetwork(network)
    for volume in sorted(found.disposable_volumes - {volume.name for volume in plan.volumes}):
        yield RemoveVolume(volume)
    for folder in sorted(found.folders - plan.folders):
        yield RemoveFolder(folder)
