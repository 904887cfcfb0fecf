"""A drill as a picture: requests and errors of each second, with the fault marked (SVG). Pure."""

from __future__ import annotations

from collections import Counter

from lab.drawings import charts
from lab.drawings.charts import Panel, Span
from lab.drills.ledger import READS, WRITES
from lab.drills.report import Report


def picture(report: Report) -> str:
    """One panel for reads and one for writes."""
    heading = f"{report.name}: requests per second, by when they were answered"
    panels = (_panel(report, "reads", READS), _panel(report, "writes", WRITES))
    faults = (
        Span(incident.injected, incident.undone, incident.well) for incident in report.incidents
    )
    return charts.requests(f"Drill {report.name}", heading, panels, faults)


def _panel(report: Report, name: str, kinds: tuple[str, ...]) -> Panel:
    requests = [request for request in report.requests if request.kind in kinds]
    answered = Counter(int(request.ended) for request in requests if not request.wrong)
    failed = Counter(int(request.ended) for request in requests if request.wrong)
    return Panel(name, answered, failed)
