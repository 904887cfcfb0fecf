"""What the matrix found of each mode, and its table and picture. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.config.modes import MODES, OVERLAY
from lab.drawings import charts
from lab.drawings.charts import Bar
from lab.errors import LabError

# As in a mode's row: what nginx reaches Django by, where both find files, published ports.
STACK = ("VXLAN between nodes, by name", "volume per node", "nodes:80")
PATHS = ("static", "health", "list")


@dataclass(frozen=True, slots=True)
class Measurement:
    """requests: per second; p50, p99: milliseconds; errors: answers that were no success."""

    requests: float
    p50: float
    p99: float
    errors: int


@dataclass(frozen=True, slots=True)
class Result:
    """One mode as it was found.

    start: seconds from nothing until it is ready; memory: MiB of its containers at rest; without_*:
    seconds without an answer while Django was restarted.
    """

    mode: str
    journey: list[str]
    load: dict[str, Measurement]
    start: float
    memory: float
    without_static: float
    without_pages: float


def parse_wrk(output: str) -> Measurement:
    """Reads what `wrk --latency` printed. Raises LabError if it is something else."""
    requests = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p50, p99 = (re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", output) for share in (50, 99))
    if not (requests and p50 and p99):
        raise LabError(f"wrk printed no result: {output.strip()[-200:]!r}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    sockets = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    errors = int(bad[1]) if bad else 0
    errors += sum(map(int, sockets.groups())) if sockets else 0
    return Measurement(float(requests[1]), _milliseconds(p50), _milliseconds(p99), errors)


def _milliseconds(match: re.Match[str]) -> float:
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]


HEADER = (
    *("mode", "nginx to Django by", "files shared", "ports"),
    *(f"{path}: requests/s, p50/p99 ms" for path in PATHS),
    *("start s", "MiB", "restart of Django: s without static / pages"),
)


def rows(results: Iterable[Result]) -> list[tuple[str, ...]]:
    return [
        (
            result.mode,
            *_between(result.mode),
            *(_load(result.load[path]) for path in PATHS),
            f"{result.start:.1f}",
            f"{result.memory:.0f}",
            f"{result.without_static:.1f} / {result.without_pages:.1f}",
        )
        for result in results
    ]


def _between(mode: str) -> tuple[str, str, str]:
    if mode == OVERLAY:
        return STACK
    row = MODES[mode]
    return row.way, row.files, row.ports


def _load(load: Measurement) -> str:
    errors = f", {load.errors} errors" if load.errors else ""
    return f"{load.requests:.0f}, {load.p50:.1f}/{load.p99:.1f}{errors}"


def table(results: Sequence[Result]) -> str:
    """As Markdown, with a line on what a second host costs."""
    lines = [HEADER, tuple("---" for _ in HEADER), *rows(results)]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return text + second_host(results)


def second_host(results: Sequence[Result]) -> str:
    by_mode = {result.mode: result for result in results}
    if not {"custom-bridge", "separate-hosts"} <= by_mode.keys():
        return ""
    near, far = by_mode["custom-bridge"].load["health"], by_mode["separate-hosts"].load["health"]
    return (
        f"\nA second host costs {far.p50 - near.p50:+.1f} ms at p50 of the health page"
        f" ({far.requests / near.requests:.0%} of custom-bridge's requests/s).\n"
    )


def picture(results: Sequence[Result]) -> str:
    """Requests per second of each path and mode as bars, each path on its own scale: SVG."""
    return charts.bars(
        "Requests per second in each mode",
        {
            f"{path}: requests/s (p50 ms)": [
                _bar(result.mode, result.load[path]) for result in results
            ]
            for path in PATHS
        },
    )


def _bar(mode: str, load: Measurement) -> Bar:
    return Bar(mode, load.requests, f"{load.requests:.0f} ({load.p50:.1f})")
