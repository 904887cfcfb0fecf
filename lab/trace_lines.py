"""What HAProxy, nginx and Django logged of a request, each in its way, as one kind of record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

HAPROXY, NGINX, DJANGO, EVENT = "haproxy", "nginx", "django", "event"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@dataclass(frozen=True, slots=True)
class Line:
    """What a program logged of a request. began, ended: seconds since 1970 by its node's clock."""

    node: str
    program: str
    began: float
    ended: float
    fields: Mapping[str, Any]

    @property
    def path(self) -> str:
        return str(self.fields.get("uri") or self.fields.get("path") or "")

    @property
    def ms(self) -> float:
        return (self.ended - self.began) * 1000


def lines(node: str, output: str, identity: str) -> list[Line]:
    """The request's lines in what lab-trace printed on a node."""
    return [line for entry in output.splitlines() if (line := _line(node, entry, identity))]


def _line(node: str, entry: str, identity: str) -> Line | None:
    try:
        fields = json.loads(json.loads(entry)["log"])
    except (ValueError, LookupError, TypeError):
        return None
    if not isinstance(fields, dict) or fields.get("request_id") != identity:
        return None
    logged = datetime.fromisoformat(fields["time"]).timestamp()
    if fields.get("logger") == "nginx":
        return Line(node, NGINX, fields["ended"] - fields["seconds"], fields["ended"], fields)
    if fields.get("logger") == "access":
        return Line(node, DJANGO, logged - fields["ms"] / 1000, logged, fields)
    if "logger" in fields:
        return Line(node, EVENT, logged, logged, fields)
    return Line(node, HAPROXY, logged, logged + milliseconds(fields, "total_ms") / 1000, fields)


def milliseconds(fields: Mapping[str, Any], *names: str) -> float:
    """The sum of HAProxy's times; it has -1 for what did not take place."""
    return sum(max(0.0, float(fields[name])) for name in names)
