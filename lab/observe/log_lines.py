"""How a line of a container's log is shown.

Pure. Knows the JSON lines that HAProxy, nginx and Django write of a request; all others stay as
they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from lab.engine.observation import short_name
from lab.plan.plans import ALL

NODE_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
SERVICE_COLOURS = ("blue", "magenta", "green", "cyan", "white", "yellow", "bright_blue", "red")


def shown(nodes: tuple[str, ...], node: str, printed: str, *, raw: bool) -> Text:
    """A line that lab-logs printed on one of the nodes; raw: as it was logged."""
    service, container, line = printed.split("\t", 2)
    width = max(map(len, nodes))
    return Text.assemble(
        (f"{node:<{width}}", NODE_COLOURS[nodes.index(node) % len(NODE_COLOURS)]),
        "  ",
        (short_name(container), SERVICE_COLOURS[sorted(ALL).index(service) % len(SERVICE_COLOURS)]),
        "  ",
        line if raw else readable(line),
    )


def readable(line: str) -> str:
    """Time, status or level, what, milliseconds, the request's id."""
    if not line.startswith("{"):
        return line
    try:
        event = json.loads(line)
        return _readable(event)
    except (ValueError, LookupError, TypeError):
        return line


def _readable(event: Mapping[str, Any]) -> str:
    time = event["time"][11:].removesuffix("Z").removesuffix("+00:00")
    identity = event.get("request_id") or "-"
    match event.get("logger"):
        case "nginx":
            ms = event["seconds"] * 1000
            what = f"{event['status']} {event['method']} {event['path']}  {ms:.0f} ms"
        case "access":
            what = f"{event['status']} {event['method']} {event['path']}  {event['ms']} ms"
            if reason := event.get("reason"):
                what += f" ({reason})"
        case None if "uri" in event:
            what = f"{event['status']} {event['method']} {event['uri']}  {event['total_ms']} ms"
            what += f" {event['server']}"
        case None:
            what = f"{event['backend']} {event['server']}  {event['total_ms']} ms"
        case logger:
            trace = "".join(f"\n    {part}" for part in event.get("exception", "").splitlines())
            return f"{time} {event['level']} {logger}: {event['message']}  {identity}{trace}"
    return f"{time} {what}  {identity}"
