"""The machine that the nodes run on, and what comes too late on it.

An answer that did not come in time is told as that, and as nothing else: whoever should have given
it may be at fault, or have waited for a processor. So nobody is told to restart or to end what may
be well.
"""

from __future__ import annotations

from dataclasses import replace

from lab.doctor.checks.facts import LATE, Facts
from lab.doctor.diagnosis import Check, Failure, diagnose, each

NAME = "this machine"
# Processes per processor. Builds of all images at once reach 10, and answers still come in time.
MOST_LOAD = 10
AGAIN = "run `fab doctor` again"


def excuse(facts: Facts, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks; those that failed for lateness say so, and depend on this machine's load."""
    checks = tuple(_with_patience(check, facts) if _late(check) else check for check in checks)
    culprits = any(LATE in finding.evidence for finding in diagnose(checks))
    if facts.load <= MOST_LOAD or not culprits:
        return (Check(NAME, None), *checks)
    evidence = f"{_wanting(facts)}; answers come too late"
    failure = Failure(evidence, f"end what else runs on it (`top`), and {AGAIN}")
    excused = (replace(c, needs=(*c.needs, each(NAME))) if _late(c) else c for c in checks)
    return (Check(NAME, failure), *excused)


def _late(check: Check) -> bool:
    return check.failure is not None and LATE in check.failure.evidence


def _with_patience(check: Check, facts: Facts) -> Check:
    """With a remedy that harms nobody who only had to wait."""
    if check.failure is None:
        return check
    evidence, remedy = check.failure.evidence, check.failure.remedy
    if facts.busy:
        failure = Failure(f"{evidence}; {_wanting(facts)}", f"wait, and {AGAIN}")
    else:
        failure = Failure(evidence, f"{AGAIN}; if it says the same: {remedy}")
    return replace(check, failure=failure)


def _wanting(facts: Facts) -> str:
    return (
        f"{facts.load:.0f} processes for each processor want to run, and each takes"
        f" {facts.slowness:.1f} times as long as it works"
    )
