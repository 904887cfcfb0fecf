"""What a drill showed: seconds without an answer, failed requests, lost writes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf

from lab.drills.ledger import KINDS, READS, WRITES, Request, Verdict


@dataclass(frozen=True, slots=True)
class Incident:
    """One fault, with seconds since the drill began. said: what was done to whom; undoing, undone:
    when it was begun to be taken back, and was; well: when the doctor found nothing any more."""

    fault: str
    said: str
    injected: float
    undoing: float
    undone: float
    well: float


@dataclass(frozen=True, slots=True)
class Report:
    """requests: with seconds since the drill began; seed: what a soak was given; trouble: what
    kept the lab from getting well again, which ended the drill."""

    name: str
    incidents: tuple[Incident, ...]
    requests: tuple[Request, ...]
    verdict: Verdict
    seed: int | None = None
    trouble: str = ""

    @property
    def well(self) -> bool:
        return self.verdict.well and not self.trouble

    @property
    def failed(self) -> Counter[str]:
        """What was wrong, and with which kind of request, to how often."""
        return Counter(f"{one.kind}: {one.wrong}" for one in self.requests if one.wrong)

    @property
    def failed_reads(self) -> int:
        return sum(bool(one.wrong) for one in self.requests if one.kind in READS)

    @property
    def slowest(self) -> float:
        return max((one.seconds for one in self.requests), default=0.0)

    def without(self, kinds: Sequence[str], incident: Incident) -> float:
        """Seconds without one of these kinds, if they began before it was undone, and however
        long after that they ended: the worst kind's.

        It can't be told finer than the pause between two requests of the kind. What begins later
        is the doctor's doing, who asks all of the lab on the users' processors.
        """
        return max(
            longest_gap(
                (one.ended for one in self.requests if one.kind == kind and not one.wrong),
                incident.injected,
                incident.undone,
                incident.well,
            )
            for kind in kinds
        )


def longest_gap(moments: Iterable[float], begin: float, last: float, end: float) -> float:
    """Seconds after begin without any of these moments, if they begin before `last`. Those that no
    moment ends are counted until end."""
    after = sorted(moment for moment in moments if moment > begin)
    bounds = [begin, *after, max([end, *after])]
    gaps = zip(bounds, bounds[1:], strict=False)
    return max(until - since for since, until in gaps if since < last)


HEADER = (
    *("drill", "s without posts", "s without accounts", "s without reads", "failed requests"),
    *("slowest s", "lost", "duplicated", "s from taking it back to full health"),
)


def row(report: Report) -> tuple[str, ...]:
    """The worst incident's figures; none of one that the lab did not get over."""
    incidents = report.incidents

    def worst(*kinds: str) -> str:
        return _most(report.without(kinds, incident) for incident in incidents)

    total = len(report.requests)
    failed = sum(report.failed.values())
    return (
        report.name,
        worst("post"),
        worst("account"),
        worst("list", "static"),
        f"{failed} of {total} ({report.failed_reads} reads)",
        f"{report.slowest:.1f}",
        str(len(report.verdict.lost)),
        str(len(report.verdict.duplicated)),
        "not well"
        if report.trouble
        else _most(incident.well - incident.undoing for incident in incidents),
    )


def _most(seconds: Iterable[float]) -> str:
    return f"{most:.1f}" if (most := max(seconds, default=None)) is not None else ""


def each_incident(report: Report) -> Iterator[Report]:
    """A soak's report as one for each incident, with the requests until the next one; what was lost
    is known of the whole alone."""
    ends = (*(incident.injected for incident in report.incidents), inf)[1:]
    for incident, end in zip(report.incidents, ends, strict=True):
        during = (one for one in report.requests if incident.injected < one.ended <= end)
        yield replace(
            report, name=incident.fault, incidents=(incident,), requests=tuple(during), trouble=""
        )


def table(reports: Iterable[Report]) -> str:
    """As Markdown."""
    lines = [HEADER, tuple("---" for _ in HEADER), *map(row, reports)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def text(report: Report) -> str:
    """For a person at a terminal."""
    lines = [f"{report.name}" + (f", seed {report.seed}" if report.seed is not None else "")]
    for incident in report.incidents:
        lines += [
            f"  {incident.injected:6.1f} s  {incident.said}",
            f"  {incident.undoing:6.1f} s  taken back; full health"
            f" {incident.well - incident.undoing:.1f} s later",
            "           without "
            + ", ".join(f"{kind} {report.without((kind,), incident):.1f} s" for kind in KINDS),
        ]
    failed = sum(report.failed.values())
    lines.append(
        f"  {len(report.requests)} requests, {failed} failed, slowest {report.slowest:.1f} s"
    )
    lines += [f"    {times:4} {what}" for what, times in report.failed.most_common()]
    verdict = report.verdict
    counts = ", ".join(f"{verdict.acknowledged[kind]} of {kind}" for kind in WRITES)
    lines.append(
        f"  acknowledged: {counts}; lost {len(verdict.lost)}, duplicated {len(verdict.duplicated)},"
        f" there without an acknowledgement {verdict.unclear}"
    )
    lines += [f"    LOST {line}" for line in verdict.lost]
    lines += [f"    DUPLICATED {line}" for line in verdict.duplicated]
    if report.trouble:
        lines.append(f"    NOT WELL {report.trouble}")
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, object]:
    """All but the requests themselves, which are in the ledger beside it."""
    return {
        "drill": report.name,
        "seed": report.seed,
        "events": [
            asdict(incident)
            | {"without": {kind: round(report.without((kind,), incident), 3) for kind in KINDS}}
            for incident in report.incidents
        ],
        "requests": len(report.requests),
        "failed": dict(report.failed),
        "slowest": round(report.slowest, 3),
        "verdict": asdict(report.verdict),
        "trouble": report.trouble,
    }
