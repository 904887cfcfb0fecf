"""Who waited for whom while a task worked, as a picture (SVG). `drawn` alone writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import shorten

from lab.config.paths import REPORTS
from lab.drawings import charts
from lab.drawings.charts import Lane
from lab.engine import waits
from lab.engine.progress import say
from lab.engine.waits import Stretch, Work

# Seconds: what took less counts as what it was a part of.
LEAST = 1.0
TOLD, WORDS_WIDTH = 5, 60


@contextmanager
def drawn(task: str) -> Iterator[None]:
    """Draws what is done meanwhile into the reports, however that ends, and tells the longest."""
    try:
        with waits.work("lab", task):
            yield
    finally:
        works = waits.works()
        path = waits.coarse(waits.critical_path(works), works, LEAST)
        file = REPORTS / f"{task}.svg"
        REPORTS.mkdir(parents=True, exist_ok=True)
        file.write_text(picture(task, works, path))
        say("lab", f"waited longest for {longest(path)}: {file}")


def longest(path: Iterable[Stretch]) -> str:
    """'ubuntu1: pull mysql:1 10.0 s, ...'"""
    ordered = sorted(path, key=lambda stretch: stretch.began - stretch.ended)
    return ", ".join(map(_told, ordered[:TOLD]))


def picture(task: str, works: Sequence[Work], path: Sequence[Stretch]) -> str:
    """A lane for each node, and below them one for each stretch of the critical path."""
    names = sorted({one.who for one in works})
    above = {one.part_of for one in works}
    nodes = [
        Lane(
            name,
            [
                (one.began, one.ended)
                for one in works
                if one.who == name and one.number not in above
            ],
            [stretch[1:] for stretch in path if stretch.work.who == name],
        )
        for name in names
    ]
    stretches = [
        Lane(stretch.work.who, [], [stretch[1:]], _told(stretch))
        for stretch in path
        if stretch.ended - stretch.began >= LEAST
    ]
    heading = f"fab {task}: what all else waited for (dark), and what was done beside it"
    return charts.timeline(f"fab {task}", heading, [*nodes, *stretches])


def _told(stretch: Stretch) -> str:
    what = shorten(stretch.work.what, WORDS_WIDTH, placeholder="...")
    return f"{stretch.work.who}: {what} {stretch.ended - stretch.began:.1f} s"
