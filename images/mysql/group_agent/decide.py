"""What the agent decides, as functions of what it has observed.

Knows the rules: who starts the group, who joins it, what a balancer is told; who takes over is in
room.py. Leaves looking and acting to others, and so runs without a server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from ipaddress import ip_address

from group_agent.gtids import contains

# Seconds after which an observation says nothing about now: six polls, and well before the 5 s of
# silence after which the others begin to go on without a member.
FRESH = 1.5

# Seconds without an observation after which the others may have gone on without this server. Again
# the 5 s, less a poll that had to time out (2 s) at one end of the silence.
PAUSE = 3.0


class State(StrEnum):
    """A server's place in the group: the server's own words, and DOWN if it does not answer."""

    ONLINE = "ONLINE"
    RECOVERING = "RECOVERING"
    UNREACHABLE = "UNREACHABLE"
    OFFLINE = "OFFLINE"
    ERROR = "ERROR"
    DOWN = "DOWN"


class Role(StrEnum):
    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """How one server sees another one, or itself."""

    uuid: str
    address: str
    state: State
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a server says about itself: the group as it sees it, and the transactions it has.

    free: MiB of room on its disk; 0 if it does not say.
    """

    address: str
    answers: bool = True
    members: tuple[Member, ...] = ()
    gtids: str = ""
    free: int = 0

    @property
    def state(self) -> State:
        if not self.answers:
            return State.DOWN
        me = member(self, self.address)
        return me.state if me else State.OFFLINE

    @property
    def role(self) -> Role:
        me = member(self, self.address)
        return me.role if me else Role.NONE

    @property
    def in_majority(self) -> bool:
        reached = [m for m in self.members if m.state in (State.ONLINE, State.RECOVERING)]
        return len(reached) * 2 > len(self.members)


class Act(Enum):
    NOTHING = "nothing"
    WAIT = "waiting"
    REFUSE = "refusing"
    JOIN = "joining"
    BOOTSTRAP = "bootstrapping"


@dataclass(frozen=True, slots=True)
class Step:
    act: Act
    reason: str = ""


class Phase(Enum):
    SERVING = "serving"
    HANDING_OVER = "handing over"
    LEAVING = "leaving"


# The observation of each other server; None where it can't be had.
Others = Mapping[str, Observation | None]


def member(observation: Observation, address: str) -> Member | None:
    return next((m for m in observation.members if m.address == address), None)


def next_step(me: Observation, others: Others) -> Step:
    """How this server gets into the group.

    Two servers never both start one: each must know all the others to be outside, and as the
    transactions of a server that is outside don't change, all choose the same.
    """
    if not is_outside(me):
        return Step(Act.NOTHING)
    known = [other for other in others.values() if other is not None and other.state != State.DOWN]
    group = [other for other in known if _is_in_group(other)]
    if group:
        return _step_beside_group(me, group)
    unknown = sorted(set(others) - {other.address for other in known})
    if unknown:
        return Step(Act.WAIT, f"no group in sight, and no answer from {', '.join(unknown)}")
    undecided = [f"{other.address} ({other.state})" for other in known if not is_outside(other)]
    if undecided:
        return Step(Act.WAIT, f"no majority in sight, but still in a group: {', '.join(undecided)}")
    return _step_without_group(me, [me, *known])


def _step_beside_group(me: Observation, group: list[Observation]) -> Step:
    if not contains(",".join(other.gtids for other in group), me.gtids):
        return Step(Act.REFUSE, f"{me.address} has transactions that the group has not: {me.gtids}")
    return Step(Act.JOIN, f"the group of {', '.join(sorted(other.address for other in group))}")


def _step_without_group(me: Observation, everyone: list[Observation]) -> Step:
    complete = [
        server.address
        for server in everyone
        if all(contains(server.gtids, other.gtids) for other in everyone)
    ]
    if not complete:
        sets = "; ".join(f"{server.address} has {server.gtids}" for server in everyone)
        return Step(Act.REFUSE, f"diverged, no server has all transactions: {sets}")
    chosen = min(complete, key=ip_address)
    if chosen != me.address:
        return Step(Act.WAIT, f"{chosen} has all transactions and starts the group")
    return Step(
        Act.BOOTSTRAP, "all servers are outside the group, and this one has all transactions"
    )


def is_outside(server: Observation) -> bool:
    return server.state in (State.OFFLINE, State.ERROR)


def _is_in_group(server: Observation) -> bool:
    return server.state in (State.ONLINE, State.RECOVERING) and server.in_majority


def is_confirmed(me: Observation, others: Others) -> bool:
    """Whether the majority sees this server as it sees itself, which a pause has made doubtful."""
    mine = member(me, me.address)
    sharing = [other for other in others.values() if other and member(other, me.address) == mine]
    return (1 + len(sharing)) * 2 > len(me.members)


def status(path: str, me: Observation, *, phase: Phase, age: float, held: bool) -> int:
    """The HTTP status with which the endpoint answers.

    A primary that hands over remains one until the next one is: until then it can still write, and
    a balancer that was told otherwise would cut off open transactions, with nowhere to go.
    """
    trusted = age < FRESH and not held and phase != Phase.LEAVING
    serving = trusted and me.state == State.ONLINE and me.in_majority
    answers = {
        "/health": serving,
        "/primary": serving and me.role == Role.PRIMARY,
        "/replica": serving and me.role == Role.SECONDARY and phase == Phase.SERVING,
        "/state": True,
    }
    if path not in answers:
        return 404
    return 200 if answers[path] else 503
