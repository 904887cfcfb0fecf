"""What every picture is written on: shapes as SVG text, with one font, one look, one escaping.

Knows shapes, and nothing of what they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

Point = tuple[float, float]

TEXT_STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#44505c}
.title{font-size:16px;font-weight:600;fill:#1c2733}
.name{font-size:13px;font-weight:600;fill:#1c2733}
.more{font-size:12px;font-weight:400;fill:#44505c}
.mid{text-anchor:middle}
.told{font-weight:600;fill:#1f5288}
.card,.box{fill:#fff;stroke:#d5dbe1}
"""
DARK_TEXT_STYLE = """
text,.more{fill:#b4c0cc}.title,.name{fill:#e8eef4}.told{fill:#93c2f0}
.card,.box{fill:#12181f;stroke:#2c3742}"""

HEAD = {
    "viewBox": "0 0 8 8",
    "refX": "7",
    "refY": "4",
    "markerWidth": "8",
    "markerHeight": "8",
    "markerUnits": "userSpaceOnUse",
    "orient": "auto-start-reverse",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What one sort of picture adds to the text's look, as CSS. dark: for a reader who prefers
    a dark page; arrows: the kinds of lines that can end in a head, whose class is KIND-head."""

    light: str
    dark: str
    arrows: tuple[str, ...] = ()

    @property
    def style(self) -> str:
        dark = f"@media (prefers-color-scheme:dark){{{DARK_TEXT_STYLE}{self.dark}}}\n"
        return f"{TEXT_STYLE}{self.light}{dark}"


class Sheet:
    """An SVG that grows downwards; whatever is added later lies above. Lengths are pixels, and a
    shape's kind is its class: what the look says of it."""

    def __init__(self, title: str, description: str, width: float, look: Look) -> None:
        self.root = ElementTree.Element(
            "svg", xmlns="http://www.w3.org/2000/svg", role="img", attrib={"aria-label": title}
        )
        ElementTree.SubElement(self.root, "title").text = title
        ElementTree.SubElement(self.root, "desc").text = description
        ElementTree.SubElement(self.root, "style").text = look.style
        if look.arrows:
            self._define_heads(look.arrows)
        self.width = width
        self.card = self.rectangle("card", 0.5, 0.5, width - 1, 0)

    def rectangle(
        self, kind: str, x: float, y: float, width: float, height: float, *, corner: float = 6
    ) -> ElementTree.Element:
        shape = {"x": x, "y": y, "width": width, "height": height, "rx": corner}
        return self._add("rect", kind, {name: _number(size) for name, size in shape.items()})

    def text(self, kind: str, x: float, y: float, said: str, *more: str) -> None:
        element = self._add("text", kind, {"x": _number(x), "y": _number(y)})
        element.text = said
        for part in more:
            ElementTree.SubElement(element, "tspan", {"dx": "8", "class": "more"}).text = part

    def arrow(self, kind: str, *points: Point, both: bool = False) -> None:
        path = "M" + " ".join(f"{_number(x)} {_number(y)}" for x, y in points)
        ends = {"marker-end": f"url(#{kind})"} | ({"marker-start": f"url(#{kind})"} if both else {})
        self._add("path", kind, {"d": path} | ends)

    def finished(self, height: float) -> str:
        """The text of the SVG file, once it is known how high it is."""
        self.card.set("height", _number(height - 1))
        self.root.set("viewBox", f"0 0 {_number(self.width)} {_number(height)}")
        ElementTree.indent(self.root, " ")
        return ElementTree.tostring(self.root, encoding="unicode") + "\n"

    def _define_heads(self, kinds: tuple[str, ...]) -> None:
        definitions = ElementTree.SubElement(self.root, "defs")
        for kind in kinds:
            marker = ElementTree.SubElement(definitions, "marker", HEAD | {"id": kind})
            ElementTree.SubElement(marker, "path", {"d": "M0 0 8 4 0 8z", "class": f"{kind}-head"})

    def _add(self, tag: str, kind: str, attributes: Mapping[str, str]) -> ElementTree.Element:
        return ElementTree.SubElement(self.root, tag, {"class": kind, **attributes})


def _number(pixels: float) -> str:
    """To a tenth, which nobody sees: 3, 3.5, never 3.0 or 3.3333."""
    return f"{round(pixels, 1):g}"
