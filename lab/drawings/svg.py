"""How a drawing looks: columns for the balancer, nginx, Django and the databases, as SVG text.

lab/drawings/records.py says what to draw, lab/drawings/sheet.py how shapes are written.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from lab.drawings.records import Box, Drawing, Half, Wiring
from lab.drawings.sheet import Look, Sheet

# Pixels: left edge and width of each column, and what lies around it.
ENTRY, ENTRY_WIDTH = 16, 152
NGINX, DJANGO, HALF_WIDTH = 252, 670, 196
DATA, DATA_WIDTH = 954, 172
NETWORK_PAD, PLACE_PAD, MARGIN, WIDTH = 10, 22, 16, 1142
LINE, TOP, GAP = 17, 56, 22
CENTRE = {NGINX: NGINX + HALF_WIDTH / 2, DJANGO: DJANGO + HALF_WIDTH / 2}
WIDE = DJANGO + HALF_WIDTH - NGINX
MIDDLE = (NGINX + HALF_WIDTH + DJANGO) / 2
# Of the small text: on average, in whatever sans-serif face there is.
CHARACTER = 6.4

LOOK = Look(
    light=""".box{stroke:#5d7389}
.place{fill:#f5f7f9;stroke:#b9c3cd}
.network,.tunnel{fill:#e4eef8;stroke:#a9c4de}
.tunnel{stroke:none}
.line,.copy,.data,.static{fill:none;stroke:#2d6199;stroke-width:1.5}
.copy,.static{stroke:#a0762a;stroke-width:1;stroke-dasharray:4 3}
.data{stroke:#8795a3;stroke-width:1}
.line-head{fill:#2d6199}.copy-head{fill:#a0762a}.data-head{fill:#8795a3}
""",
    dark=""".box{stroke:#7e94a9}.place{fill:#1a222b;stroke:#3f4d5a}
.network,.tunnel{fill:#1d3146;stroke:#365678}.tunnel{stroke:none}
.line{stroke:#74abe2}.copy,.static{stroke:#d0a457}
.line-head{fill:#74abe2}.copy-head{fill:#d0a457}
""",
    arrows=("line", "copy", "data"),
)


def svg(drawing: Drawing) -> str:
    """The drawing as the text of an SVG file."""
    sheet = Sheet(drawing.title, drawing.description, WIDTH, LOOK)
    sheet.text("title", MARGIN, 32, drawing.title)
    others = {box.title: box for box in drawing.others}
    y, middles, ends = float(TOP), list[float](), list[float]()
    for wiring in drawing.wirings:
        row = ServiceRow(sheet, wiring, y, others)
        row.draw()
        middles += row.middles
        ends.append(row.middles[0])
        y = row.bottom + GAP
    for box in others.values():
        y = _lonely(sheet, box, y) + GAP
    entry = _entry(sheet, drawing.entry, middles, drawing.wirings)
    data = _data(sheet, drawing.data, ends)
    return sheet.finished(max(y - GAP, entry, data) + MARGIN)


class ServiceRow:
    """One web service from y on: nginx's nodes one below the other, Django's beside them."""

    def __init__(self, sheet: Sheet, wiring: Wiring, y: float, others: dict[str, Box]) -> None:
        self.sheet, self.wiring, self.y = sheet, wiring, y
        halves = (*wiring.fronts, *((wiring.back,) if wiring.back else ()))
        width = HALF_WIDTH if wiring.back else WIDE
        self.box_height = max(_height(half.box, width) for half in halves)
        names = dict.fromkeys(half.node.title for half in halves)
        self.others = {name: others.pop(name) for name in names if name in others}
        space = WIDE if wiring.on_one_node else HALF_WIDTH
        extra = [len(_also(box, space)) for box in self.others.values()]
        self.static_height = 12 + LINE * (1 if wiring.shared else 2)
        network = 2 * NETWORK_PAD + 16 + self.box_height
        self.static_at = 30 + network + 24
        self.place_height = self.static_at + self.static_height + 14 + LINE * max(extra, default=0)
        self.tops = [y + i * (self.place_height + 12) for i in range(len(wiring.fronts))]
        self.middles = [top + self._box_at + self.box_height / 2 for top in self.tops]
        self.bottom = self.tops[-1] + self.place_height

    _box_at = 30 + NETWORK_PAD + 16

    def draw(self) -> None:
        if self.wiring.on_one_node:
            self._place(self.wiring.fronts[0], NGINX, WIDE, self.y, self.bottom)
        else:
            self._apart()
        for front, top in zip(self.wiring.fronts, self.tops, strict=True):
            self._half(front, NGINX, top, top)
            self._static(front, NGINX, top)
        if self.wiring.back:
            self._half(self.wiring.back, DJANGO, self.y, self.tops[-1])
            self._calls()
            if not self.wiring.shared:
                self._static(self.wiring.back, DJANGO, self.tops[-1])
        if self.wiring.copied == "rsync":
            self._copy()

    def _apart(self) -> None:
        for front, top in zip(self.wiring.fronts, self.tops, strict=True):
            self._place(front, NGINX, HALF_WIDTH, top, top + self.place_height)
        if self.wiring.back:
            self._place(self.wiring.back, DJANGO, HALF_WIDTH, self.y, self.bottom)

    def _place(self, half: Half, x: float, width: float, top: float, bottom: float) -> None:
        """A node, what else runs on it, and the network in it."""
        left = x - PLACE_PAD
        self.sheet.rectangle("place", left, top, width + 2 * PLACE_PAD, bottom - top)
        self.sheet.text("name", left + 10, top + 20, half.node.title, *half.node.lines)
        if half.node.title in self.others:
            also = _also(self.others[half.node.title], width)
            _lines(self.sheet, "", left + 10, bottom - 8 - LINE * len(also) + LINE, also)
        network = bottom - top - self.place_height + 2 * NETWORK_PAD + 16 + self.box_height
        self.sheet.rectangle("network", x - NETWORK_PAD, top + 30, width + 2 * NETWORK_PAD, network)
        self.sheet.text("", x - 2, top + 46, half.network)

    def _half(self, half: Half, x: float, top: float, last: float) -> None:
        width = HALF_WIDTH if self.wiring.back else WIDE
        height = self.box_height + last - top
        _boxed(self.sheet, half.box, (x, top + self._box_at), width, height)

    def _calls(self) -> None:
        label, how = self.wiring.call
        for middle in self.middles:
            if self.wiring.tunnel:
                left = NGINX + HALF_WIDTH + NETWORK_PAD - 1
                width = DJANGO - NETWORK_PAD + 1 - left
                self.sheet.rectangle("tunnel", left, middle - 26, width, 52)
            self.sheet.arrow("line", (NGINX + HALF_WIDTH, middle), (DJANGO, middle))
            self.sheet.text("told mid", MIDDLE, middle - 8, label)
            self.sheet.text("mid", MIDDLE, middle + 18, how)

    def _static(self, half: Half, x: int, top: float) -> None:
        """Where static files lie: what nginx and Django share is drawn once, below both."""
        if half.static is None:
            return
        y, bottom = top + self.static_at, top + self._box_at + self.box_height
        width = WIDE if self.wiring.shared else HALF_WIDTH
        self.sheet.rectangle("static", x, y, width, self.static_height)
        _lines(self.sheet, "mid", x + width / 2, y + 18, self._said(half, half.static.source))
        if self.wiring.back is None:
            self.sheet.arrow("copy", (x + width / 2, bottom), (x + width / 2, y), both=True)
            return
        users = (half, self.wiring.back) if self.wiring.shared else (half,)
        for user, column in zip(users, (x, DJANGO), strict=False):
            ends = ((CENTRE[column], bottom), (CENTRE[column], y))
            writes = user.static is not None and user.static.writable
            self.sheet.arrow("copy", *(ends if writes else reversed(ends)))

    def _said(self, half: Half, source: str) -> tuple[str, ...]:
        named = f"{'folder' if source.startswith('/') else 'volume'} {source}"
        socket = f" and {self.wiring.socket}" if self.wiring.socket else ""
        if self.wiring.shared:
            return (f"{named}: static files{socket}",)
        if source.startswith("/"):
            return ("static files in the folder", source)
        how = "" if half is self.wiring.back else self.wiring.copied
        return (named, how or "static files")

    def _copy(self) -> None:
        y = self.tops[0] + self.static_at + self.static_height / 2
        self.sheet.arrow("copy", (DJANGO, y), (NGINX + HALF_WIDTH, y))
        self.sheet.text("mid", MIDDLE, y - 7, self.wiring.copied)


def _entry(sheet: Sheet, box: Box, middles: list[float], wirings: tuple[Wiring, ...]) -> float:
    """Browser and balancer, and the way to each nginx. Returns where it ends."""
    height = _height(box, ENTRY_WIDTH)
    middle = middles[0]
    centre, top = ENTRY + ENTRY_WIDTH / 2, middle - height / 2
    fronts = (front for wiring in wirings for front in wiring.fronts)
    trunk = ENTRY + ENTRY_WIDTH + 22
    for front, y in zip(fronts, middles, strict=True):
        for port in front.entries:
            bend = ((trunk, middle), (trunk, y)) if y != middle else ((ENTRY + ENTRY_WIDTH, y),)
            sheet.arrow("line", *bend, (NGINX, y))
            sheet.text("told mid", trunk + 20, y - 7, f":{port}")
    sheet.text("name mid", centre, top - 26, "browser")
    sheet.arrow("line", (centre, top - 20), (centre, top))
    _boxed(sheet, box, (ENTRY, top), ENTRY_WIDTH, height)
    return top + height


def _data(sheet: Sheet, boxes: tuple[Box, ...], ends: list[float]) -> float:
    """The databases, and the way to them from each Django. Returns where they end."""
    right = DJANGO + HALF_WIDTH
    trunk, y = right + PLACE_PAD + 22, float(TOP)
    for box in boxes:
        height = _height(box, DATA_WIDTH)
        for end in ends:
            middle = y + height / 2
            sheet.arrow("data", (right, end), (trunk, end), (trunk, middle), (DATA, middle))
        _boxed(sheet, box, (DATA, y), DATA_WIDTH, height)
        y += height + 14
    return y - 14


def _lonely(sheet: Sheet, box: Box, y: float) -> float:
    """A node without a web service. Returns where it ends."""
    also, width = _also(box, WIDE), WIDE + 2 * PLACE_PAD
    height = 34 + LINE * len(also)
    sheet.rectangle("place", NGINX - PLACE_PAD, y, width, height)
    sheet.text("name", NGINX - PLACE_PAD + 10, y + 20, box.title)
    _lines(sheet, "", NGINX - PLACE_PAD + 10, y + 20 + LINE, also)
    return y + height


def _also(box: Box, width: float) -> list[str]:
    return textwrap.wrap(f"also {', '.join(box.lines)}", int((width + 20) / CHARACTER))


def _wrapped(box: Box, width: float) -> list[str]:
    return [
        part for line in box.lines for part in textwrap.wrap(line, int((width - 16) / CHARACTER))
    ]


def _height(box: Box, width: float) -> float:
    return 30 + LINE * len(_wrapped(box, width))


def _boxed(sheet: Sheet, box: Box, at: tuple[float, float], width: float, height: float) -> None:
    x, y = at
    sheet.rectangle("box", x, y, width, height)
    lines = _wrapped(box, width)
    start = y + (height - 30 - LINE * len(lines)) / 2 + 20
    sheet.text("name mid", x + width / 2, start, box.title)
    _lines(sheet, "mid", x + width / 2, start + LINE, lines)


def _lines(sheet: Sheet, kind: str, x: float, y: float, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        sheet.text(kind, x, y + number * LINE, line)
