"""One request's way through the programs, from what each of them logged of it.

Pure: log lines in, a timeline out. Within one node, and from HAProxy to the nginx that answered,
offsets follow from durations alone; only what came before, on other nodes, is placed by comparing
clocks, and the timeline says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lab.observe.trace_lines import DJANGO, EVENT, HAPROXY, NGINX, Line, milliseconds

# Seconds that a program's clock may differ from its caller's, for the two to be put together.
SLACK = 1.0
BAR = 24


@dataclass(frozen=True, slots=True)
class Hop:
    """A line of the timeline. at, ms: milliseconds since the request began, and taken."""

    depth: int
    name: str
    node: str
    at: float
    ms: float
    detail: str = ""
    by_clocks: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """One request. began: seconds since 1970."""

    began: float
    hops: tuple[Hop, ...]


def timelines(lines: Iterable[Line]) -> list[Timeline]:
    """One for each request; several may have had the same id."""
    ordered = sorted(lines, key=lambda line: line.began)
    roots: list[Line] = []
    below: dict[int, list[Line]] = {id(line): [] for line in ordered}
    callers: list[Line] = []
    for program in (HAPROXY, NGINX, DJANGO, EVENT):
        same = [line for line in ordered if line.program == program]
        for line in same:
            caller = _caller(line, callers)
            (below[id(caller)] if caller else roots).append(line)
        callers = same
    return [
        Timeline(root.began, tuple(_hops(root, 0.0, below)))
        for root in sorted(roots, key=lambda root: root.began)
    ]


def _caller(line: Line, callers: list[Line]) -> Line | None:
    """Of those that were waiting for an answer on the line's path, the one that asked last."""
    waiting = [
        caller
        for caller in callers
        if caller.began - SLACK <= line.began <= caller.ended + SLACK
        and (not line.path or caller.asked_for(line.path))
        and (line.program != EVENT or line.node == caller.node)
    ]
    return min(waiting, key=lambda caller: abs(line.began - caller.began), default=None)


def _hops(line: Line, at: float, below: Mapping[int, list[Line]], depth: int = 0) -> Iterator[Hop]:
    called = below[id(line)]
    if line.program == HAPROXY:
        yield Hop(depth, "HAProxy", line.node, at, line.ms, _haproxy_detail(line.fields))
        yield from _attempts_of(line, at, below, depth + 1)
    elif line.program == NGINX:
        yield Hop(depth, "nginx", line.node, at, line.ms, _request(line.fields))
        yield from _uwsgi_hops(line, at, below, depth + 1)
    elif line.program == DJANGO:
        yield from _django_hops(line, at, called, depth)
    else:
        yield _event(line, at, depth)


def _attempts_of(
    line: Line, at: float, below: Mapping[int, list[Line]], depth: int
) -> Iterator[Hop]:
    """Each nginx that HAProxy asked; the one that answered began when HAProxy's times say so."""
    called = below[id(line)]
    began = at + milliseconds(line.fields, "request_ms", "queue_ms", "connect_ms")
    server = line.fields["server"]
    answered = next((attempt for attempt in reversed(called) if attempt.node == server), None)
    known, known_at = (answered, began) if answered else (line, at)
    for attempt in called:
        hops = _hops(attempt, known_at + (attempt.began - known.began) * 1000, below, depth)
        yield from hops if attempt is answered else _by_clocks(hops)


def _by_clocks(hops: Iterator[Hop]) -> Iterator[Hop]:
    for hop in hops:
        yield replace(hop, by_clocks=True)


def _haproxy_detail(fields: Mapping[str, Any]) -> str:
    detail = (
        f"{fields['method']} {fields['uri']} {fields['status']}, server {fields['server']}:"
        f" read {fields['request_ms']}, queue {fields['queue_ms']},"
        f" connect {fields['connect_ms']}, answer {fields['response_ms']}"
    )
    if not fields["retries"]:
        return detail
    moved = ", on another server" if fields["redispatched"] else ""
    return f"{detail}; retries {fields['retries']}{moved}"


def _request(fields: Mapping[str, Any]) -> str:
    return f"{fields['method']} {fields['path']} {fields['status']}"


def _uwsgi_hops(
    line: Line, at: float, below: Mapping[int, list[Line]], depth: int
) -> Iterator[Hop]:
    """One for each server that nginx asked, with Django in the one that answered.

    uWSGI logs nothing: what is not Django's of the time until its answer began is its own, the
    wait for a free worker above all. What nginx takes itself is reading the request.
    """
    attempts = list(_upstreams(line.fields))
    at += max(0.0, line.ms - sum(total for *_, total in attempts))
    for number, (address, status, connect, header, total) in enumerate(attempts, start=1):
        django = below[id(line)] if number == len(attempts) else []
        inside = django[-1].ms if django else 0.0
        detail = f"{address}: connect {connect:.0f}"
        if django:
            fields = django[-1].fields
            waited = max(0.0, header - connect - inside)
            detail = f"{address}, worker {fields.get('worker')}: connect {connect:.0f},"
            detail += f" queue and protocol {waited:.0f}"
        elif status != "200":
            detail += f", {status}"
        node = django[-1].node if django else line.node
        yield Hop(depth, "uWSGI", node, at, total, detail)
        for request in django:
            began = max(at + connect, at + header - inside)
            offset = began + (request.began - django[-1].began) * 1000
            yield from _hops(request, offset, below, depth + 1)
        at += total


def _upstreams(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, float, float, float]]:
    """Address, status, and milliseconds to connect, to the answer's beginning, and in all."""
    names = ("upstream", "upstream_status", "upstream_connect", "upstream_header")
    columns = [re.split(r", | : ", fields[name]) for name in (*names, "upstream_seconds")]
    for address, status, *seconds in zip(*columns, strict=True):
        if address not in ("", "-"):
            connect, header, total = (0.0 if s == "-" else float(s) * 1000 for s in seconds)
            yield address, status, connect, header, total


def _django_hops(line: Line, at: float, events: list[Line], depth: int) -> Iterator[Hop]:
    fields = line.fields
    statements = fields.get("statements", [])
    own = line.ms - covered((sent["at_ms"], sent["ms"]) for sent in statements)
    count = len(statements) + fields.get("more_statements", 0)
    detail = f"{_request(fields)}, {fields['mode']}: {count} statements, {own:.1f} ms beside them"
    if reason := fields.get("reason"):
        detail += f"; refused: {reason}"
    yield Hop(depth, "Django", line.node, at, line.ms, detail)
    inner = [_statement(sent, at, depth + 1) for sent in statements]
    inner += [_event(event, at + (event.began - line.began) * 1000, depth + 1) for event in events]
    yield from sorted(inner, key=lambda hop: hop.at)
    if more := fields.get("more_statements"):
        yield Hop(depth + 1, "...", "", at + line.ms, 0.0, f"{more} more statements")


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of them went on. spans: when each began, and how long it took."""
    total = end = 0.0
    for began, took in sorted(spans):
        total += max(0.0, began + took - max(began, end))
        end = max(end, began + took)
    return total


def _statement(sent: Mapping[str, Any], began: float, depth: int) -> Hop:
    names = {"default": "MySQL primary", "read_only": "MySQL replica", "cassandra": "Cassandra"}
    error = f"{sent['error']}: " if "error" in sent else ""
    name, server = names.get(sent["database"], sent["database"]), sent.get("server", "")
    text = " ".join(sent["text"].split())
    return Hop(depth, name, server, began + sent["at_ms"], sent["ms"], error + text)


def _event(line: Line, at: float, depth: int) -> Hop:
    fields = line.fields
    exception = fields.get("exception", "").strip().splitlines()[-1:]
    detail = " | ".join((f"{fields['level']}: {fields['message']}", *exception))
    return Hop(depth, fields["logger"], line.node, at, 0.0, detail)


def table(timeline: Timeline) -> list[str]:
    """The timeline as text: offset and duration in milliseconds, a bar, who, where, what."""
    hops = timeline.hops
    whole = max(1.0, *(hop.at + hop.ms for hop in hops))
    names = [" " * hop.depth + hop.name for hop in hops]
    name_width, node_width = max(map(len, names)), max(len(hop.node) for hop in hops)
    began = datetime.fromtimestamp(timeline.began, UTC).isoformat(timespec="milliseconds")
    rows = [f"{'at ms':>9} {'ms':>8}  from {began}"]
    for name, hop in zip(names, hops, strict=True):
        mark = "~" if hop.by_clocks else " "
        rows.append(
            f"{hop.at:9.1f}{mark}{hop.ms:8.1f}  {_bar(hop, whole)}"
            f"  {name:<{name_width}}  {hop.node:<{node_width}}  {hop.detail}"
        )
    if any(hop.by_clocks for hop in hops):
        rows.append("~ placed by comparing the clocks of two nodes; all other offsets are measured")
    return rows


def _bar(hop: Hop, whole: float) -> str:
    begin = min(BAR - 1, max(0, int(hop.at / whole * BAR)))
    length = max(1, round(hop.ms / whole * BAR))
    return f"{'·' * begin}{'█' * length}"[:BAR].ljust(BAR, "·")
