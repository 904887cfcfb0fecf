"""Charts of what was measured: bars of values, and requests of each second with faults behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from lab.drawings.sheet import Look, Sheet

LOOK = Look(
    light=""".answered{fill:#2f6f8f}.failed{fill:#c0392b}
.fault{fill:#f3d9a4}.recovering{fill:#e8eef3}
.busy{fill:#d5dfe7}.awaited{fill:#2d6199}
.end{text-anchor:end}
""",
    dark=""".answered{fill:#4f9cc0}.failed{fill:#e05a4b}
.fault{fill:#5c4a20}.recovering{fill:#26323e}
.busy{fill:#34424f}.awaited{fill:#74abe2}
""",
)
LEGEND = ("answered", "failed", "fault", "recovering")

# Pixels: margin around everything; of bars, their thickness and from one to the next, the room
# for names, for the longest bar, and for what stands at its end.
MARGIN, HEADING = 16, 30
BAR, NEXT_BAR, NAMES_WIDTH, BAR_WIDTH, ENDS_WIDTH = 16, 26, 130, 620, 164
# Of a timeline: room for names, and from one line to the next.
LANES_LEFT, LANE, NEXT_LANE = 80, 12, 20
# Of requests: what lies around a panel, its height, and from one to the next.
LEFT, TOP, RIGHT, FOOT, WIDTH = 48, 40, 24, 30, 900
PANEL, NEXT_PANEL, LEGEND_STEP = 130, 176, 90


@dataclass(frozen=True, slots=True)
class Bar:
    """value: how long it is, in whatever the others of its group count; said: at its end."""

    name: str
    value: float
    said: str


def bars(title: str, groups: Mapping[str, Sequence[Bar]]) -> str:
    """Groups below each other, each with its heading and on its own scale."""
    sheet = Sheet(title, "; ".join(groups), 2 * MARGIN + NAMES_WIDTH + BAR_WIDTH + ENDS_WIDTH, LOOK)
    left, y = MARGIN + NAMES_WIDTH, MARGIN
    for heading, group in groups.items():
        most = max((bar.value for bar in group), default=0.0) or 1.0
        sheet.text("name", MARGIN, y + 14, heading)
        y += HEADING
        for bar in group:
            length = BAR_WIDTH * bar.value / most
            sheet.text("", MARGIN, y + 12, bar.name)
            sheet.rectangle("answered", left, y, length, BAR, corner=0)
            sheet.text("", left + length + 6, y + 12, bar.said)
            y += NEXT_BAR
    return sheet.finished(y)


@dataclass(frozen=True, slots=True)
class Panel:
    """Some kinds of requests: how many were answered in each second, and how many failed."""

    name: str
    answered: Mapping[int, int]
    failed: Mapping[int, int]

    @property
    def seconds(self) -> list[int]:
        return sorted({*self.answered, *self.failed})

    def count(self, second: int) -> int:
        return self.answered.get(second, 0) + self.failed.get(second, 0)


@dataclass(frozen=True, slots=True)
class Span:
    """A fault, in seconds: from begin until it was undone, and until all was well again."""

    begin: float
    undone: float
    well: float


@dataclass(frozen=True, slots=True)
class Lane:
    """busy: when something was done there, in seconds; awaited: when all else waited for it; said:
    beside that."""

    name: str
    busy: Sequence[tuple[float, float]]
    awaited: Sequence[tuple[float, float]]
    said: str = ""


def timeline(title: str, heading: str, lanes: Sequence[Lane]) -> str:
    """Lanes below each other over one axis of seconds."""
    ends = (end for lane in lanes for _, end in (*lane.busy, *lane.awaited))
    seconds = max(1, ceil(max(ends, default=0.0)))
    scale = (WIDTH - LANES_LEFT - RIGHT) / seconds
    sheet = Sheet(title, heading, WIDTH, LOOK)
    sheet.text("", MARGIN, 20, heading)
    for number, lane in enumerate(lanes):
        _lane(sheet, lane, TOP + number * NEXT_LANE, scale)
    bottom = TOP + len(lanes) * NEXT_LANE
    _axis(sheet, seconds, LANES_LEFT, scale, bottom + MARGIN)
    return sheet.finished(bottom + FOOT)


def _lane(sheet: Sheet, lane: Lane, y: float, scale: float) -> None:
    sheet.text("", MARGIN, y + 10, lane.name)
    for kind, times in (("busy", lane.busy), ("awaited", lane.awaited)):
        for began, ended in times:
            x, width = LANES_LEFT + began * scale, max((ended - began) * scale, 0.5)
            sheet.rectangle(kind, x, y, width, LANE, corner=0)
    if lane.said:
        left, right = (LANES_LEFT + moment * scale for moment in lane.awaited[0])
        if right < WIDTH / 2:
            sheet.text("", right + 6, y + 10, lane.said)
        else:
            sheet.text("end", left - 6, y + 10, lane.said)


def requests(title: str, heading: str, panels: Sequence[Panel], faults: Iterable[Span]) -> str:
    """Panels below each other, each on its own scale, with the faults behind all of them."""
    seconds = max((second for panel in panels for second in panel.seconds), default=0) + 1
    scale = (WIDTH - LEFT - RIGHT) / seconds
    sheet = Sheet(title, heading, WIDTH, LOOK)
    sheet.text("", LEFT, 20, heading)
    _legend(sheet)
    spans = tuple(faults)
    for number, panel in enumerate(panels):
        _panel(sheet, panel, spans, TOP + number * NEXT_PANEL, scale)
    bottom = TOP + len(panels) * NEXT_PANEL
    _axis(sheet, seconds, LEFT, scale, bottom)
    return sheet.finished(bottom + FOOT)


def _panel(sheet: Sheet, panel: Panel, faults: tuple[Span, ...], top: float, scale: float) -> None:
    def over(kind: str, begin: float, end: float) -> None:
        width = max((end - begin) * scale, 1)
        sheet.rectangle(kind, LEFT + begin * scale, top, width, PANEL, corner=0)

    for fault in faults:
        over("fault", fault.begin, fault.undone)
        over("recovering", fault.undone, fault.well)
    most = max(map(panel.count, panel.seconds), default=1)
    sheet.text("", LEFT, top - 6, f"{panel.name}: up to {most} a second")
    for second in panel.seconds:
        x, bottom = LEFT + second * scale, top + PANEL
        for kind, counts in (("answered", panel.answered), ("failed", panel.failed)):
            if height := PANEL * counts.get(second, 0) / most:
                bottom -= height
                sheet.rectangle(kind, x, bottom, max(scale - 1, 0.5), height, corner=0)


def _axis(sheet: Sheet, seconds: int, left: float, scale: float, y: float) -> None:
    step = next((step for step in (5, 10, 30, 60, 120, 300) if seconds / step <= 12), 600)
    for second in range(0, seconds + 1, step):
        sheet.text("mid", left + second * scale, y, f"{second} s")


def _legend(sheet: Sheet) -> None:
    for number, kind in enumerate(LEGEND):
        x = WIDTH - RIGHT - LEGEND_STEP * (len(LEGEND) - number)
        sheet.rectangle(kind, x, 10, 10, 10, corner=0)
        sheet.text("", x + 14, 20, kind)
