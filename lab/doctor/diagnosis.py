"""Finds the culprits among failing checks: those whose own dependencies all pass.

Pure. What is checked, and what each check depends on, is in lab/doctor/checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter


@dataclass(frozen=True, slots=True)
class Failure:
    """evidence: what was seen; remedy: what to type."""

    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Need:
    """At least so many of some checks have to pass."""

    checks: tuple[str, ...]
    least: int


def each(*names: str) -> Need:
    return Need(names, len(names))


def some(names: Iterable[str], least: int = 1) -> Need:
    names = tuple(names)
    return Need(names, min(least, len(names)))


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. failure: None if it is well."""

    name: str
    failure: Failure | None
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A culprit. hidden: the failing checks that were not judged because of it."""

    check: str
    evidence: str
    remedy: str
    hidden: tuple[str, ...]


def diagnose(checks: Sequence[Check]) -> tuple[Finding, ...]:
    """The failing checks whose needs are all met, in the order of the checks.

    Any other failing check may fail for want of what it needs alone, so it is not judged. Raises
    ValueError where a check needs one that there is not or, by some way, itself, and where two have
    the same name.
    """
    by_name = {check.name: check for check in checks}
    _refuse_mistakes(checks, by_name)
    failing = {check.name for check in checks if check.failure}
    missed = {name: frozenset(_missed(by_name[name], failing)) for name in failing}
    causes = {name: _causes(name, missed) for name in failing}
    return tuple(
        Finding(
            check.name,
            check.failure.evidence,
            check.failure.remedy,
            tuple(c.name for c in checks if c != check and check.name in causes.get(c.name, ())),
        )
        for check in checks
        if check.failure and not missed[check.name]
    )


def confirmed(first: Sequence[Check], second: Sequence[Check]) -> tuple[Check, ...]:
    """The second look's checks, of which only those fail that did so at the first look, too."""
    failing = {check.name for check in first if check.failure}
    return tuple(
        check if check.name in failing else replace(check, failure=None) for check in second
    )


def _missed(check: Check, failing: set[str]) -> Iterator[str]:
    """The failing checks among the needs that are not met."""
    for need in check.needs:
        down = [name for name in need.checks if name in failing]
        if len(need.checks) - len(down) < need.least:
            yield from down


def _causes(name: str, missed: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """All that a failing check fails for, itself included."""
    causes, rest = {name}, {name}
    while rest:
        rest = {cause for failing in rest for cause in missed[failing]} - causes
        causes |= rest
    return frozenset(causes)


def _refuse_mistakes(checks: Sequence[Check], by_name: Mapping[str, Check]) -> None:
    if len(by_name) != len(checks):
        names = [check.name for check in checks]
        raise ValueError(f"checked twice: {sorted({n for n in names if names.count(n) > 1})}")
    for check in checks:
        unknown = {name for need in check.needs for name in need.checks} - by_name.keys()
        if unknown:
            raise ValueError(f"{check.name} needs what nobody checks: {sorted(unknown)}")
    graph = {c.name: {name for need in c.needs for name in need.checks} for c in checks}
    TopologicalSorter(graph).prepare()  # of checks in a circle none would ever be a culprit


def report(findings: Sequence[Finding]) -> str:
    """A paragraph for each culprit."""
    return "\n\n".join("\n".join(_lines(finding)) for finding in findings)


def _lines(finding: Finding) -> Iterator[str]:
    yield finding.check
    yield f"  seen    {finding.evidence}"
    yield f"  remedy  {finding.remedy}"
    if finding.hidden:
        yield f"  not judged because of it: {len(finding.hidden)} more that fail"


def as_json(checks: Sequence[Check], findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "checks": len(checks),
        "findings": [
            {
                "check": finding.check,
                "evidence": finding.evidence,
                "remedy": finding.remedy,
                "not_judged": list(finding.hidden),
            }
            for finding in findings
        ],
    }
