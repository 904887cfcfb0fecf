"""The machine that the nodes run on: while it is overloaded, a late answer says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lab.checks.facts import LATE, Facts
from lab.doctor import Check, Failure, each

NAME = "this machine"
# Processes per processor. Builds of all images at once reach 10, and answers still come in time.
MOST_LOAD = 10


def excuse(facts: Facts, checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks, with those that failed for lateness alone depending on this machine's load."""
    late = [check for check in checks if check.failure and LATE in check.failure.evidence]
    overloaded = facts.load > MOST_LOAD and bool(late)
    evidence = f"{facts.load:.0f} processes for each processor want to run; answers come too late"
    failure = Failure(evidence, "end what else runs on it (`top`), and run `fab doctor` again")
    return (
        Check(NAME, failure if overloaded else None),
        *(replace(c, needs=(*c.needs, each(NAME))) if c in late else c for c in checks),
    )
