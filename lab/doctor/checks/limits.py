"""How long the doctor waits for whom: by what the machines are, and by how slow this one is now."""

from __future__ import annotations

from dataclasses import dataclass, fields

# However slow, one that hangs has to be told of some time.
MOST_SLOWNESS = 5
# Of work, from which to tell how slow a machine is.
LEAST_NANOSECONDS = 10**7


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds. greeting: of a node's sshd; page: a page for this machine; answer: whoever is
    asked on a node; command: a whole command there; node: all of a node's; lab: everything.
    """

    greeting: float
    page: float
    answer: float
    command: float
    node: float
    lab: float

    def stretched(self, slowness: float) -> Limits:
        times = min(max(1.0, slowness), MOST_SLOWNESS)
        return Limits(*(round(getattr(self, one.name) * times, 1) for one in fields(self)))


CONTAINERS = Limits(greeting=3, page=3, answer=3, command=4, node=5.5, lab=7)
# Emulated ones take ten times as long for what a processor does, and hang no more often.
VIRTUAL_MACHINES = Limits(greeting=15, page=15, answer=15, command=20, node=30, lab=40)


def limits(provider: str) -> Limits:
    """Of machines of a provider (lab/machines/made.py), where nothing else is to be done."""
    return CONTAINERS if provider == "docker" else VIRTUAL_MACHINES


def slowness(ran: int, waited: int) -> float:
    """How many times longer than it worked a process took that wanted to work.

    In nanoseconds, as its /proc/PID/schedstat has them. 1 if it hardly ran, which says nothing.
    """
    return (ran + waited) / ran if ran > LEAST_NANOSECONDS else 1.0
