"""What the comparison with the article found, and its table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lab.matrix.article import ROWS
from lab.matrix.results import Measurement

OWN = "own"
WHAT = {OWN: "this application, as it is", **{row.name: row.what for row in ROWS.values()}}

# Who was measured (OWN or a row's name), connections -> what was found of one turn.
Turn = Mapping[tuple[str, int], Measurement]

FIGURES: tuple[tuple[str, Callable[[Measurement], float]], ...] = (
    ("requests/s", lambda measured: measured.requests),
    ("p50 ms", lambda measured: measured.p50),
    ("p99 ms", lambda measured: measured.p99),
)
HEADER = (
    *("connections", "", *(name for name, _ in FIGURES)),
    *(f"{name.split()[0]}, times its own" for name, _ in FIGURES),
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of the lab's own: the median of all turns, the least and the most."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.least:.2f}-{self.most:.2f})"


def ratio(
    turns: Sequence[Turn], who: str, connections: int, figure: Callable[[Measurement], float]
) -> Ratio:
    """Each turn's figure by that of the lab's own in the same turn."""
    each = [figure(turn[who, connections]) / figure(turn[OWN, connections]) for turn in turns]
    return Ratio(median(each), min(each), max(each))


def table(turns: Sequence[Turn]) -> str:
    """As Markdown: medians of all turns, and ratios with their spread."""
    by_connections = sorted(turns[0], key=lambda pair: pair[1])
    lines = [HEADER, tuple("---" for _ in HEADER)]
    lines += [_cells(turns, who, connections) for who, connections in by_connections]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(turns: Sequence[Turn], who: str, connections: int) -> tuple[str, ...]:
    errors = sum(turn[who, connections].errors for turn in turns)
    what = f"{WHAT[who]} ({errors} errors)" if errors else WHAT[who]
    found = (median(figure(turn[who, connections]) for turn in turns) for _, figure in FIGURES)
    ratios = (
        "1" if who == OWN else str(ratio(turns, who, connections, figure)) for _, figure in FIGURES
    )
    return (str(connections), what, *(f"{value:.1f}" for value in found), *ratios)
