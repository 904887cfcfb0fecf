"""How long the doctor waits for whom."""

from __future__ import annotations

from dataclasses import dataclass


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


CONTAINERS = Limits(greeting=3, page=3, answer=3, command=4, node=5.5, lab=7)
# Emulated ones take ten times as long for what a processor does, and hang no more often.
VIRTUAL_MACHINES = Limits(greeting=15, page=15, answer=15, command=20, node=30, lab=40)


def limits(provider: str) -> Limits:
    """Of machines of a provider (lab/machines/made.py)."""
    return CONTAINERS if provider == "docker" else VIRTUAL_MACHINES
