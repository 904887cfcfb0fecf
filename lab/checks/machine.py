"""The machine that the nodes run on: while it is overloaded, a late answer says nothing."""

from __future__ import annotations

from dataclasses import replace

from lab.checks.facts import LATE, Facts
from lab.doctor import Check, Failure, diagnose, each

NAME = "this machine"
# Processes per processor. Builds of all images at once reach 10, and answers still come in time.
MOST_LOAD = 10


def excuse(facts: Facts, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks, with those that failed for lateness alone depending on this machine's load."""
    culprits = any(LATE in finding.evidence for finding in diagnose(checks))
    if facts.load <= MOST_LOAD or not culprits:
        return (Check(NAME, None), *checks)
    evidence = f"{facts.load:.0f} processes for each processor want to run; answers come too late"
    failure = Failure(evidence, "end what else runs on it (`top`), and run `fab doctor` again")
    return (Check(NAME, failure), *(_excused(check) for check in checks))


def _excused(check: Check) -> Check:
    late = check.failure is not None and LATE in check.failure.evidence
    return replace(check, needs=(*check.needs, each(NAME))) if late else check
