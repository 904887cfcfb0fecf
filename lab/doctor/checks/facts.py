"""What was found out about the lab, as records: what nodes and web servers answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.config.topology import Topology
from lab.doctor.diagnosis import Failure
from lab.engine.observation import LABEL, TASK
from lab.plan.records import Plan
from lab.release.releases import Release

LONGEST = 160
# What came too late says so, and nothing else does: lab/doctor/checks/machine.py goes by it.
LATE = "no answer in time"
# As programs say it: curl, Python, Docker's health checks, MySQL's client, Cassandra.
TIMED_OUT = re.compile(
    r"curl: \(28\)|[Tt]imed out|TimeoutError|exceeded timeout|no answer within|\(110\)|error: 110\b"
)
# Processes per processor, and how many times longer than it works a program takes.
BUSY_LOAD, BUSY_SLOWNESS = 2, 1.5
# Of timeout(1).
TIMEOUT_STATUS = 124


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command. status: None if it had to be killed, or nobody could be asked."""

    status: int | None
    output: str = ""
    errors: str = ""

    @property
    def well(self) -> bool:
        return self.status == 0

    @property
    def said(self) -> str:
        """Its last line, for people."""
        if self.status in (None, TIMEOUT_STATUS):
            return LATE
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return timely(lines[-1]) if lines else f"it ended with {self.status} and said nothing"


NOT_ASKED = Answer(None)


@dataclass(frozen=True, slots=True)
class Page:
    """What this machine got by HTTP. status: 0 if nothing; then text says why."""

    status: int
    text: str = ""
    release: str = ""

    @property
    def said(self) -> str:
        return f"HTTP {self.status}" if self.status else self.text


@dataclass(frozen=True, slots=True)
class InspectedContainer:
    """A container of the lab as it was found.

    started: nanoseconds since 1970; memory: its limit, MiB; killed: for memory, if it has ended;
    networks: name to its address there.
    """

    name: str
    service: str
    mode: str
    state: str
    digest: str = ""
    health: str = ""
    health_said: str = ""
    exit_code: int = 0
    ended: str = ""
    id: str = ""
    started: int = 0
    memory: int = 0
    killed: bool = False
    networks: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    task: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """A node's answers (provision/node/lab_node/doctor.py).

    ahead: seconds by which its clock is ahead of this machine's; docker: how Docker answered that
    listed the containers; inside: container to question to answer.
    """

    ahead: float
    docker: Answer
    containers: Mapping[str, InspectedContainer]
    answers: Mapping[str, Answer]
    inside: Mapping[str, Mapping[str, Answer]]


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it.

    topology: each node in the mode in which it was found; nodes: a node that could not be asked has
    that instead; pages: (nginx's node, or '' for the virtual address; what was asked) to what
    came; authority: of the registry's certificate, PEM; now: seconds since 1970;
    load: processes that want to run, per processor of this machine, in the last minute; slowness:
    how many times longer than it works a program takes there now; rewired: the nodes that
    `fab -H NODE deploy --mode` brought into another mode, and so to a release of their own.
    """

    topology: Topology
    release: Release | None
    plans: Mapping[str, Plan]
    nodes: Mapping[str, Examined | Failure]
    pages: Mapping[tuple[str, str], Page]
    authority: str
    now: float
    load: float
    slowness: float = 1.0
    rewired: frozenset[str] = frozenset()

    @property
    def busy(self) -> bool:
        """Whether what comes late on this machine may have waited for a processor."""
        return self.load > BUSY_LOAD or self.slowness > BUSY_SLOWNESS

    def answer(self, node: str, question: str) -> Answer:
        outcome = self.nodes[node]
        return (
            NOT_ASKED if isinstance(outcome, Failure) else outcome.answers.get(question, NOT_ASKED)
        )

    def inside(self, node: str, container: str, question: str) -> Answer:
        outcome = self.nodes[node]
        if isinstance(outcome, Failure):
            return NOT_ASKED
        return outcome.inside.get(container, {}).get(question, NOT_ASKED)

    def containers(self, node: str) -> Mapping[str, InspectedContainer]:
        outcome = self.nodes[node]
        return {} if isinstance(outcome, Failure) else outcome.containers

    def page(self, node: str, question: str) -> Page:
        return self.pages.get((node, question), Page(0, LATE))


def examined(told: Mapping[str, Any], sent: float, received: float) -> Examined:
    """Reads what lab-doctor printed. sent, received: when it was asked and had answered, here."""
    inside: dict[str, dict[str, Answer]] = {}
    for container, question, answer in told["inside"]:
        inside.setdefault(container, {})[question] = Answer(*answer)
    containers = [_container(container) for container in told["containers"]]
    return Examined(
        ahead=min(told["time"] - sent, max(0.0, told["time"] - received)),
        docker=Answer(*told["docker"]),
        containers={container.name: container for container in containers},
        answers={name: Answer(*answer) for name, answer in told["answers"].items()},
        inside=inside,
    )


def _container(inspected: Mapping[str, Any]) -> InspectedContainer:
    labels, state = inspected["Config"]["Labels"], inspected["State"]
    health = state.get("Health") or {}
    last = (health.get("Log") or [{}])[-1]
    networks = inspected["NetworkSettings"]["Networks"]
    return InspectedContainer(
        name=inspected["Name"].lstrip("/"),
        service=labels[LABEL],
        mode=labels.get("lab.mode", ""),
        state=state["Status"],
        digest=labels.get("lab.digest", ""),
        health=health.get("Status", ""),
        health_said=timely(" ".join(last.get("Output", "").split())),
        exit_code=state["ExitCode"],
        ended=state["FinishedAt"][:19].replace("T", " "),
        id=inspected["Id"],
        started=_nanoseconds(state["StartedAt"]),
        memory=inspected["HostConfig"]["Memory"] // 2**20,
        killed=state["OOMKilled"],
        networks={name: network["IPAddress"] for name, network in networks.items()},
        environment=dict(line.split("=", 1) for line in inspected["Config"]["Env"]),
        task=TASK in labels,
    )


def _nanoseconds(moment: str) -> int:
    """Since 1970, of Docker's 2026-11-24T08:15:30.123456789Z."""
    seconds = datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 10**9 + int(moment[20:-1].ljust(9, "0")[:9])


def rows(output: str, width: int) -> list[list[str]]:
    """The words of each line that has so many; a command that was killed may end within one."""
    return [words for line in output.splitlines() if len(words := line.split()) == width]


def timely(said: str) -> str:
    """What a program said, which begins with LATE if it is that nobody answered it in time."""
    return f"{LATE} ({shortened(said)})" if TIMED_OUT.search(said) else shortened(said)


def in_time(answer: Answer, failure: Failure | None) -> Failure | None:
    """A failure that was read from an answer; if that did not come in time, no more than that."""
    if failure is None or answer.status is not None:
        return failure
    return Failure(LATE, failure.remedy)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
