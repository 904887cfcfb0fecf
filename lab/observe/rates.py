"""From what lab-sample printed on each node to the rows of the live view.

Pure. Rates are per second, from two samples of a node; "-" while there is only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.config.modes import BACKS
from lab.engine.observation import short_name

Sample = Mapping[str, Any]
NONE = "-"
# Seconds after which a Cassandra node counts as silent: gossip is exchanged each second.
SILENT = 10


@dataclass(frozen=True, slots=True)
class Samples:
    """The last two samples of a node. trouble: why there is no new one; empty if there is."""

    before: Sample | None = None
    now: Sample | None = None
    trouble: str = ""

    def then(self, sample: Sample) -> Samples:
        if "error" in sample:
            return Samples(self.before, self.now, str(sample["error"]))
        return Samples(self.now, sample)

    @property
    def seconds(self) -> float:
        """Between the two samples; 0 if there is only one."""
        return float(self.now["time"] - self.before["time"]) if self.now and self.before else 0.0

    @property
    def complete(self) -> bool:
        return bool(self.trouble or self.seconds)


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[str, ...]
    well: bool = True


SITE = (
    "HAProxy",
    "state",
    "requests/s",
    "4xx/s",
    "5xx/s",
    "failed/s",
    "retries/s",
    "queue",
    "requests",
)
NODES = ("node", "container", "state", "CPU %", "MiB", "")


def site(seen: Mapping[str, Samples]) -> list[Row]:
    """What the balancers count together: all of the web, and each of its servers."""
    balancers = [
        samples for samples in seen.values() if not samples.trouble and _statistics(samples.now)
    ]
    keys = dict.fromkeys(key for samples in balancers for key in _statistics(samples.now))
    rows = [_site_row(balancers, key, "all") for key in keys if key == ("web", "FRONTEND")]
    servers = [key for key in keys if key[0] == "nginx" and key[1] != "BACKEND"]
    return rows + [_site_row(balancers, key, f"nginx on {key[1]}") for key in servers]


def _statistics(sample: Sample | None) -> dict[tuple[str, str], Mapping[str, str]]:
    statistics = sample.get("haproxy") if sample else None
    if not isinstance(statistics, list):
        return {}
    return {(row["pxname"], row["svname"]): row for row in statistics}


def _site_row(balancers: list[Samples], key: tuple[str, str], name: str) -> Row:
    requests = ("req_tot",) if key[1] == "FRONTEND" else ("stot",)
    counters = (requests, ("hrsp_4xx",), ("hrsp_5xx",), ("econ", "eresp"), ("wretr",))
    rows = [row for balancer in balancers if (row := _statistics(balancer.now).get(key))]
    states = "/".join(dict.fromkeys(row["status"] for row in rows))
    rates = [_sum_of_rates(balancers, key, names) for names in counters]
    queue, total = (str(_sum(rows, names)) for names in (("qcur",), requests))
    well = states in ("UP", "OPEN") and float(rates[2].replace(NONE, "0")) == 0
    return Row((name, states, *rates, queue, total), well)


def _sum(rows: Iterable[Mapping[str, str]], names: tuple[str, ...]) -> int:
    return sum(int(row[name] or 0) for row in rows for name in names)


def _sum_of_rates(balancers: list[Samples], key: tuple[str, str], names: tuple[str, ...]) -> str:
    rates = [
        rate
        for one in balancers
        if (rate := _rate(one, *(_count(sample, key, names) for sample in (one.before, one.now))))
        is not None
    ]
    return f"{sum(rates):.1f}" if rates else NONE


def _count(sample: Sample | None, key: tuple[str, str], names: tuple[str, ...]) -> int | None:
    row = _statistics(sample).get(key)
    return _sum([row], names) if row else None


def _rate(seen: Samples, before: int | None, now: int | None) -> float | None:
    """Not below 0: a program that was started anew counts from 0."""
    if before is None or now is None or not seen.seconds:
        return None
    return max(0, now - before) / seen.seconds


def _shown_rate(seen: Samples, before: int | None, now: int | None) -> str:
    rate = _rate(seen, before, now)
    return NONE if rate is None else f"{rate:.1f}"


def nodes(seen: Mapping[str, Samples]) -> list[Row]:
    """Each node with the sum of its containers, and each of these."""
    return [row for name, samples in seen.items() for row in _node_rows(name, samples)]


def _node_rows(name: str, seen: Samples) -> list[Row]:
    if seen.trouble or not seen.now:
        return [Row((name, "", "no answer", "", "", seen.trouble), well=False)]
    rows = [_container_row(seen, container) for container in _sorted(seen.now)]
    cpu = sum(float(row.cells[3]) for row in rows if row.cells[3] != NONE)
    memory = sum(container.get("memory", 0) for container in seen.now["containers"]) / 2**20
    well = sum(row.well for row in rows)
    head = (name, f"{well} of {len(rows)} well", "answers", f"{cpu:.0f}", f"{memory:.0f}", "")
    return [Row(head, well == len(rows)), *rows]


def _sorted(sample: Sample) -> list[Mapping[str, Any]]:
    return sorted(
        sample["containers"], key=lambda container: (container["service"], container["name"])
    )


def _container_row(seen: Samples, container: Mapping[str, Any]) -> Row:
    earlier = {c["name"]: c for c in (seen.before or {}).get("containers", ())}
    before = earlier.get(container["name"], {})
    cpu = _rate(seen, before.get("cpu"), container.get("cpu"))
    detail, well = _detail(seen, container)
    cells = (
        "",
        short_name(container["name"]),
        container["health"] or container["state"],
        NONE if cpu is None else f"{cpu / 1e7:.0f}",
        f"{container['memory'] / 2**20:.0f}" if "memory" in container else NONE,
        detail,
    )
    return Row(
        cells, well and container["state"] == "running" and container["health"] in (None, "healthy")
    )


def _detail(seen: Samples, one: Mapping[str, Any]) -> tuple[str, bool]:
    """What the program says of itself, and whether it is well."""
    service, now, before = one["service"], seen.now or {}, seen.before or {}
    if service in BACKS:
        found, known = (sample.get("uwsgi", {}).get(one["name"]) for sample in (now, before))
        say = _uwsgi
    elif service == "mysql":
        found, known, say = now.get("mysql"), before.get("mysql"), _mysql
    elif service == "cassandra":
        found, known, say = now.get("cassandra"), None, _cassandra
    else:
        return "", True
    if not found or "error" in found:
        return (found or {}).get("error", ""), not found
    return say(seen, found, known if known and "error" not in known else {})


def _uwsgi(seen: Samples, told: Any, known: Any) -> tuple[str, bool]:
    rate = _shown_rate(seen, known.get("requests"), told["requests"])
    busy = f"{told['busy']} of {told['workers']} workers busy"
    return f"uWSGI: {rate} requests/s, {busy}, queue {told['queue']}", True


def _mysql(seen: Samples, told: Any, known: Any) -> tuple[str, bool]:
    rate = _shown_rate(seen, known.get("statements"), told["statements"])
    queues = f"to certify {told['to_certify'] or 0}, to apply {told['to_apply'] or 0}"
    detail = f"{told['role'] or NONE} {told['state']}, sees {told['online']} online, {queues}"
    clients = f"{told['connections']} connections"
    return f"{detail}, {rate} statements/s, {clients}", told["state"] == "ONLINE"


def _cassandra(seen: Samples, told: Any, known: Any) -> tuple[str, bool]:
    """The ring as this node sees it; its own load in what the nodes tell each other."""
    states = [str(peer["status_with_port"] or "none").split(",")[0] for peer in told]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    silent = [peer["address"] for peer in told if peer["silent"] >= SILENT]
    schemas = len({peer["schema"] for peer in told if peer["address"] not in silent})
    detail = f"sees {counts}"
    detail += f", silent: {' '.join(silent)}" if silent else ", none silent"
    detail += f", {schemas} schema{'s' if schemas > 1 else ''}"
    return detail, not silent and schemas == 1 and set(states) == {"NORMAL"}
