"""What was found on a node, as records read from what `lab-observe` prints there. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LABEL = "lab.service"
TASK = "com.docker.swarm.task.id"


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
    printed = json.loads(answer)
    own: list[Any] = []
    tasks: list[Any] = []
    for inspected in printed["containers"]:
        (tasks if TASK in inspected["Config"]["Labels"] else own).append(inspected)
    return Observation(
        containers={c.name: c for c in map(_running, own)},
        tasks={c.name: c for c in map(_running, tasks)},
        stack=printed["stack"],
        networks=frozenset(printed["networks"]),
        disposable_volumes=frozenset(printed["disposable_volumes"]),
        volumes=frozenset(printed["volumes"]),
        images=frozenset(printed["images"]),
        folders=frozenset(printed["folders"]),
        files=printed["files"],
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
