"""From what is wanted and what was observed to Docker's commands.

Pure: takes a Plan and an Observation, returns argument tuples in the order in which they are to be
run. Knows docker's command line; runs nothing.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.containers import AddressOf, Container, File, Mount, Plan

ADDRESSED = "/etc/lab/addressed"
READ = "/etc/lab/read"
LABEL = "lab.service"
TASK = "com.docker.swarm.task.id"
SCRATCH = "lab.scratch=yes"

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A container of the lab as it was found.

    health: None without a health check; address: on the default bridge; told: the address of
    another container that it was started with; leave: see Container; restarts: by Docker, after it
    ended by itself; killed: for memory, if it has ended.
    """

    name: str
    service: str
    mode: str
    image: str
    state: str
    health: str | None
    digest: str
    address: str = ""
    told: str = ""
    leave: tuple[str, ...] = ()
    restarts: int = 0
    killed: bool = False

    @property
    def well(self) -> bool:
        return self.state == "running" and self.health in (None, "healthy")

    @property
    def condition(self) -> str:
        """For people: 'running, unhealthy'."""
        killed = "killed for memory" if self.killed else ""
        return ", ".join(filter(None, (self.state, self.health, killed)))


@dataclass(frozen=True, slots=True)
class Observation:
    """What was found on a node.

    tasks: containers that Swarm started, and only Swarm may touch; stack: on a manager, Swarm's
    services and how many of each one's tasks run, as in {"webapp_django": "3/3"};
    folders: those that hold files of the lab; files: path to SHA-256 of its content.
    """

    containers: Mapping[str, Running] = field(default_factory=dict)
    tasks: Mapping[str, Running] = field(default_factory=dict)
    stack: Mapping[str, str] = field(default_factory=dict)
    networks: frozenset[str] = frozenset()
    disposable_volumes: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> tuple[Running, ...]:
        """The lab's own containers, whatever their state, and those of Swarm that run."""
        tasks = (task for task in self.tasks.values() if task.state == "running")
        return (*self.containers.values(), *tasks)


def observation(answer: str) -> Observation:
    """Reads what `observe` (provision/node/lab_node/observe.py) printed on a node."""
    found = json.loads(answer)
    own: list[Any] = []
    tasks: list[Any] = []
    for inspected in found["containers"]:
        (tasks if TASK in inspected["Config"]["Labels"] else own).append(inspected)
    return Observation(
        containers={c.name: c for c in map(_running, own)},
        tasks={c.name: c for c in map(_running, tasks)},
        stack=found["stack"],
        networks=frozenset(found["networks"]),
        disposable_volumes=frozenset(found["disposable_volumes"]),
        volumes=frozenset(found["volumes"]),
        images=frozenset(found["images"]),
        folders=frozenset(found["folders"]),
        files=found["files"],
    )


def _running(inspected: Mapping[str, Any]) -> Running:
    labels = inspected["Config"]["Labels"]
    state = inspected["State"]
    # Docker's default bridge, where alone a container is told another one's address.
    bridge = inspected["NetworkSettings"]["Networks"].get("bridge", {})
    return Running(
        name=inspected["Name"].lstrip("/"),
        service=labels[LABEL],
        mode=labels.get("lab.mode", ""),
        image=inspected["Config"]["Image"],
        state=state["Status"],
        health=state["Health"]["Status"] if "Health" in state else None,
        digest=labels.get("lab.digest", ""),
        address=bridge.get("IPAddress", ""),
        told=labels.get("lab.address", ""),
        leave=tuple(shlex.split(labels.get("lab.leave", ""))),
        restarts=inspected["RestartCount"],
        killed=state["OOMKilled"] and not state["Running"],
    )


def short_name(name: str) -> str:
    """Swarm puts the long id of a task, or of a node, behind its service's name."""
    return re.sub(r"\.[a-z0-9]{25}", "", name)


def unsettled(tasks: str) -> bool:
    """Whether fewer (or still more) of a Swarm service's tasks run than should: '2/3'."""
    running, _, wanted = tasks.partition("/")
    return running != wanted


def changed(files: tuple[File, ...], found: Observation) -> tuple[File, ...]:
    """The files that the node lacks or has otherwise."""
    return tuple(file for file in files if found.files.get(file.path) != file.digest)


def files(plan: Plan) -> tuple[File, ...]:
    """Everything that has to be on the node before containers start."""
    scripts = (addressed_script(c) for c in plan.containers if c.addressed)
    return (*plan.all_files, *scripts)


def notes(plan: Plan) -> tuple[File, ...]:
    """What is noted on the node once its containers have read their files.

    Without them a task that was cut off between writing a file and telling its reader would leave
    the reader behind for good.
    """
    return tuple(_note(container) for container in plan.containers if container.reads)


def _note(container: Container) -> File:
    return File(f"{READ}/{container.name}", container.reads_digest, mode=0o600)


def pulls(plan: Plan, found: Observation) -> tuple[Command, ...]:
    """Brings the images that the node lacks."""
    return tuple(
        ("docker", "pull", "--quiet", image) for image in plan.images if image not in found.images
    )


def forgettable(found: Observation, names: frozenset[str], kept: frozenset[str]) -> tuple[str, ...]:
    """Images of those names (webapp_django, ...) that are not kept and that no container uses."""
    used = {running.image for running in (*found.containers.values(), *found.tasks.values())}
    named = (i for i in found.images if i.rsplit("/", 1)[-1].split(":", 1)[0] in names)
    return tuple(sorted(set(named) - used - kept))


def commands(plan: Plan, found: Observation, services: frozenset[str]) -> tuple[Command, ...]:
    """What makes the node run the plan's containers of some services, and no others of theirs."""
    wanted = plan.only(services)
    return (
        *_removals(wanted, found, services),
        *_networks_and_volumes(wanted, found),
        *_starts(wanted, found),
        *_disposals(plan, found, services),
    )


def _removals(wanted: Plan, found: Observation, services: frozenset[str]) -> Iterator[Command]:
    names = {container.name for container in wanted.containers}
    for running in found.containers.values():
        if running.service in services and running.name not in names:
            yield from _removal(running)


def _removal(running: Running) -> Iterator[Command]:
    name = running.name
    if running.leave:
        yield ("docker", "exec", name, *running.leave)
    yield ("rm", "--force", f"{ADDRESSED}/{name}", f"{READ}/{name}")
    yield ("docker", "stop", name)
    yield ("docker", "rm", "--force", name)


def unwanted(plan: Plan, found: Observation) -> frozenset[str]:
    """The services of which the plan wants no container, and one is there."""
    return frozenset(running.service for running in found.containers.values()) - plan.services


def replaced(plan: Plan, found: Observation, services: frozenset[str]) -> bool:
    """Whether a container that serves well would be stopped to bring the node to its plan."""
    stopped = {c[2] for c in commands(plan, found, services) if c[:2] == ("docker", "stop")}
    return any(found.containers[name].well for name in stopped)


def _networks_and_volumes(wanted: Plan, found: Observation) -> Iterator[Command]:
    for network in wanted.networks:
        if network not in found.networks:
            yield ("docker", "network", "create", "--label", f"{LABEL}=web", network)
    for volume in wanted.volumes:
        if volume.name not in found.volumes:
            labels = ("--label", "lab.disposable=yes") if volume.disposable else ()
            yield ("docker", "volume", "create", *labels, volume.name)


def _starts(wanted: Plan, found: Observation) -> Iterator[Command]:
    for container in wanted.containers:
        running = found.containers.get(container.name)
        news = bool(container.reads and changed((_note(container),), found))
        if not _as_wanted(container, running, news):
            yield from _replacement(container, running)
        elif news:
            yield ("docker", "exec", container.name, *container.reload)
        elif _told_wrongly(container, found):
            yield (f"{ADDRESSED}/{container.name}",)


def _as_wanted(container: Container, running: Running | None, news: bool) -> bool:
    if running is None or running.digest != container.digest or running.state != "running":
        return False
    return not news or bool(container.reload)


def _told_wrongly(container: Container, found: Observation) -> bool:
    """Whether the container was started with an address that another one no longer has."""
    if container.addressed is None:
        return False
    other = found.containers.get(container.addressed.container)
    return other is None or found.containers[container.name].told != other.address


def _replacement(container: Container, running: Running | None) -> Iterator[Command]:
    if running:
        yield ("docker", "stop", container.name)
        yield ("docker", "rm", "--force", container.name)
    yield (f"{ADDRESSED}/{container.name}",) if container.addressed else run(container)


def _disposals(plan: Plan, found: Observation, services: frozenset[str]) -> Iterator[Command]:
    names = {container.name for container in plan.containers}
    others = (r for r in found.containers.values() if r.service not in services)
    if found.tasks and not plan.stack:
        return  # Swarm's tasks still use what only the stack's plan names.
    if any(running.name not in names for running in others):
        return  # A later step removes these, and what only they use.
    for network in sorted(found.networks - set(plan.networks)):
        yield ("docker", "network", "rm", network)
    for volume in sorted(found.disposable_volumes - {volume.name for volume in plan.volumes}):
        yield ("docker", "volume", "rm", volume)
    for folder in sorted(found.folders - plan.folders):
        yield ("rm", "--recursive", "--force", folder)


def run(container: Container, address: str = "") -> Command:
    """`docker run` of a container; address: what an AddressOf among its variables resolves to."""
    limit = container.limit
    entrypoint = ("--entrypoint", container.entrypoint) if container.entrypoint else ()
    return (
        *("docker", "run", "--detach", "--restart", "always"),
        *("--name", container.name, "--network", container.network),
        *_labels(container, address),
        *("--cpus", f"{limit.cpus:g}", "--memory", f"{limit.memory}m"),
        *("--memory-swap", f"{limit.memory}m", "--pids-limit", str(limit.pids)),
        *("--read-only", "--security-opt", "no-new-privileges", "--cap-drop", "ALL"),
        *_each("--cap-add", container.capabilities),
        *_each("--tmpfs", container.temporary),
        *(("--user", container.user) if container.user else ()),
        *_each("--publish", (f"{p.address}:{p.port}:{p.port}" for p in container.publications)),
        *_each("--volume", map(_volume, container.mounts)),
        *_each("--env", (f"{k}={_value(v, address)}" for k, v in container.environment)),
        *("--stop-timeout", str(container.stop_seconds)),
        *(("--stop-signal", container.stop_signal) if container.stop_signal else ()),
        *entrypoint,
        container.image,
        *container.command,
    )


def _labels(container: Container, address: str) -> tuple[str, ...]:
    labels = {
        LABEL: container.service,
        "lab.mode": container.mode,
        "lab.digest": container.digest,
        "lab.write": str(container.limit.write * 1024 * 1024),
        "lab.address": address,
        "lab.leave": shlex.join(container.leave),
    }
    return _each("--label", (f"{key}={value}" for key, value in labels.items() if value))


def _each(option: str, values: Any) -> tuple[str, ...]:
    return tuple(part for value in values for part in (option, value))


def _volume(mount: Mount) -> str:
    return f"{mount.source}:{mount.target}" + ("" if mount.writable else ":ro")


def _value(value: str | AddressOf, address: str) -> str:
    return f"{address}:{value.port}" if isinstance(value, AddressOf) else value


def one_off(container: Container, noted: str) -> Command:
    """`docker run` of a container that does one thing and prints it.

    noted: the file that names it afterwards. It is to be removed by whoever has looked how it
    ended: with `--rm` nobody could tell that it was killed for memory.
    """
    kept_running = ("--detach", "--restart", "always", "--name", container.name)
    command = run(container)
    at = command.index("--detach")
    return (*command[:at], "--cidfile", noted, "--quiet", *command[at + len(kept_running) :])


def entered(argv: Command) -> str:
    """The container that a command enters by `docker exec`; empty if it is another command."""
    for at, pair in enumerate(zip(argv, argv[1:], strict=False)):
        if pair == ("docker", "exec"):
            return next((word for word in argv[at + 2 :] if not word.startswith("-")), "")
    return ""


def scratch(container: Container) -> Command:
    """`docker run` of a server that is thrown away with its data, and that none of the lab's other
    tasks takes for its own."""
    command = run(container)
    at = command.index("--restart")
    # Without a network no other name is known to Java, which asks for its machine's.
    kept = ("--hostname", "localhost", "--no-healthcheck", "--label", SCRATCH)
    return (*command[:at], *kept, *command[at + len(("--restart", "always")) :])


def addressed_script(container: Container) -> File:
    """The node's own way to (re)start a container that is told another one's address.

    Run by a deployment, and by lab-follow whenever a container has started: after a reboot Docker
    deals addresses anew. Does nothing while the address is the one it was started with.
    """
    other = container.addressed
    if other is None:
        raise ValueError(f"{container.name} holds no address of another container")
    command = shlex.join(run(container, "@address@")).replace("@address@", '"$address"')
    name, told = shlex.quote(container.name), shlex.quote(other.container)
    address = "{{with .NetworkSettings.Networks.bridge}}{{.IPAddress}}{{end}}"
    script = f"""\
#!/usr/bin/env bash
# Starts {container.name} with the address that {other.container} has now.
set -euo pipefail
exec 9>"/run/lock/lab-$(basename "$0")" && flock 9
address=$(docker inspect --format '{address}' {told} 2>/dev/null || true)
[ -n "$address" ] || exit 0
label='{{{{index .Config.Labels "lab.address"}}}}'
known=$(docker inspect --format "$label" {name} 2>/dev/null || true)
[ "$known" != "$address" ] || exit 0
docker rm --force {name} >/dev/null 2>&1 || true
{command}
"""
    return File(f"{ADDRESSED}/{container.name}", script, mode=0o755)
