"""What HAProxy, nginx and Django logged of a request, each in its way, as one kind of record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

HAPROXY, NGINX, DJANGO, EVENT = "haproxy", "nginx", "django", "event"
# HAProxy logs the beginning of an address that is longer than about that many characters.
BEGINNING = 1000
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
    def path(self) -> bytes:
        """Decoded: each program has its own way to write what is no letter."""
        return unquote_to_bytes(self.fields.get("uri") or self.fields.get("path") or "")

    def asked_for(self, path: bytes) -> bool:
        """Whether what it asked for may be that."""
        if self.program == HAPROXY and len(self.fields["uri"]) >= BEGINNING:
            # The last escape may be cut in two.
            return path.startswith(self.path[:-2])
        return path == self.path

    @property
    def ms(self) -> float:
        return (self.ended - self.began) * 1000


def lines(node: str, output: str, identity: str) -> list[Line]:
    """The request's lines in what lab-trace printed on a node."""
    return [line for text in _texts(output) if (line := _line(node, text, identity))]


def _texts(output: str) -> Iterator[str]:
    """What programs wrote, a line each. Docker makes several entries of one over 16 KB."""
    parts: dict[str, list[str]] = {}
    for entry in output.splitlines():
        try:
            record = json.loads(entry)
            stream, text = record["stream"], record["log"]
        except (ValueError, LookupError, TypeError):
            continue
        parts.setdefault(stream, []).append(text)
        if text.endswith("\n"):
            yield "".join(parts.pop(stream))


def _line(node: str, text: str, identity: str) -> Line | None:
    try:
        fields = json.loads(text)
    except ValueError:
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
