"""Asks this node's Docker through its socket: each `docker ...` would start a program for it."""

from __future__ import annotations

import json

from lab_node import plain_http

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "/run/docker.sock"
# It has none of that name, or no swarm that it could tell of.
NOTHING = (404, 503)


class Docker:
    """seconds: how long it may be silent; None: as long as it takes."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds

    def ask(self, path: str, **filters: str) -> Any:
        """The answer (docs.docker.com/reference/api/engine), None if Docker has no such thing.

        Raises OSError if nobody answers, or with what Docker has to say instead.
        """
        status, body = self._got(path, {name: [value] for name, value in filters.items()})
        found = json.loads(body)
        if status in NOTHING:
            return None
        if status != 200:
            raise OSError(f"{path}: {status} {found.get('message')}")
        return found

    def _got(self, path: str, filters: dict[str, list[str]]) -> tuple[int, bytes]:
        query = f"{'&' if '?' in path else '?'}filters={plain_http.quoted(json.dumps(filters))}"
        with plain_http.unix(SOCKET, self.seconds) as connection:
            return plain_http.get(connection, "docker", path + query)

    def killed_for_memory(self, since: float, until: float) -> list[tuple[int, str]]:
        """When the kernel told of such a process, in nanoseconds, and of which container: its id.

        since, until: seconds since 1970. An event alone is no proof (lab/engine/memory.py).
        """
        path = f"/events?since={since:.3f}&until={until:.3f}"
        _, body = self._got(path, {"type": ["container"], "event": ["oom"]})
        events = [json.loads(line) for line in body.splitlines()]
        return [(event["timeNano"], event["Actor"]["ID"]) for event in events]

    def containers(self) -> list[dict[str, Any]]:
        """All of the lab's, as `docker inspect` has them; one that is removed meanwhile is none."""
        listed = self.ask("/containers/json?all=1", label="lab.service")
        found = (self.ask(f"/containers/{one['Id']}/json") for one in listed)
        return [one for one in found if one]
