"""A drill as a picture: requests and errors of each second, with the fault marked (SVG). Pure."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from lab.drills.ledger import READS, WRITES, Request
from lab.drills.report import Report

# Pixels.
LEFT, RIGHT, WIDTH = 48, 16, 900
TOP, HEIGHT, GAP, FOOT = 40, 130, 46, 30
COLOURS = {"answered": "#2f6f8f", "failed": "#c0392b", "fault": "#f3d9a4", "recovering": "#e8eef3"}
PANELS = (("reads", READS), ("writes", WRITES))


def picture(report: Report) -> str:
    """One panel for reads and one for writes, each on its own scale."""
    seconds = int(max((one.ended for one in report.requests), default=0.0)) + 1
    scale = (WIDTH - LEFT - RIGHT) / seconds
    height = TOP + len(PANELS) * (HEIGHT + GAP) + FOOT
    svg = ElementTree.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        viewBox=f"0 0 {WIDTH} {height}",
        style="font: 12px system-ui, sans-serif; background: #fff",
    )
    ElementTree.SubElement(svg, "title").text = f"Drill {report.name}"
    _text(svg, LEFT, 20, f"{report.name}: requests per second, by when they were answered")
    _legend(svg)
    for number, (name, kinds) in enumerate(PANELS):
        top = TOP + number * (HEIGHT + GAP)
        for event in report.events:
            _area(svg, "fault", LEFT + event.injected * scale, LEFT + event.undone * scale, top)
            _area(svg, "recovering", LEFT + event.undone * scale, LEFT + event.well * scale, top)
        _panel(svg, name, top, scale, [one for one in report.requests if one.kind in kinds])
    _axis(svg, seconds, scale, height - FOOT)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _panel(
    svg: ElementTree.Element, name: str, top: float, scale: float, requests: list[Request]
) -> None:
    well = Counter(int(one.ended) for one in requests if not one.wrong)
    failed = Counter(int(one.ended) for one in requests if one.wrong)
    most = max((well[second] + failed[second] for second in well | failed), default=1)
    _text(svg, LEFT, top - 6, f"{name}: up to {most} a second")

    def bar(kind: str, second: int, count: int, below: int) -> None:
        size = HEIGHT * count / most
        _rectangle(
            svg,
            COLOURS[kind],
            LEFT + second * scale,
            top + HEIGHT * (1 - below / most) - size,
            max(scale - 1, 0.5),
            size,
        )

    for second, count in sorted(well.items()):
        bar("answered", second, count, 0)
    for second, count in sorted(failed.items()):
        bar("failed", second, count, well[second])


def _area(svg: ElementTree.Element, kind: str, begin: float, end: float, top: float) -> None:
    _rectangle(svg, COLOURS[kind], begin, top, max(end - begin, 1), HEIGHT)


def _axis(svg: ElementTree.Element, seconds: int, scale: float, y: float) -> None:
    step = next((one for one in (5, 10, 30, 60, 120, 300) if seconds / one <= 12), 600)
    for second in range(0, seconds + 1, step):
        _text(svg, LEFT + second * scale, y, f"{second} s", anchor="middle")


def _legend(svg: ElementTree.Element) -> None:
    for number, (name, colour) in enumerate(COLOURS.items()):
        x = WIDTH - RIGHT - 90 * (len(COLOURS) - number)
        _rectangle(svg, colour, x, 10, 10, 10)
        _text(svg, x + 14, 20, name)


def _rectangle(svg: ElementTree.Element, colour: str, *place: float) -> None:
    """place: x, y, width, height."""
    names = ("x", "y", "width", "height")
    attributes = {name: f"{size:.1f}" for name, size in zip(names, place, strict=True)}
    ElementTree.SubElement(svg, "rect", attributes | {"fill": colour})


def _text(svg: ElementTree.Element, x: float, y: float, said: str, anchor: str = "start") -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "fill": "#222", "text-anchor": anchor}
    ElementTree.SubElement(svg, "text", place).text = said
