"""Asks this node's Docker through its socket: each `docker ...` would start a program for it."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import quote

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "/run/docker.sock"
# It has none of that name, or no swarm that it could tell of.
NOTHING = (http.client.NOT_FOUND, http.client.SERVICE_UNAVAILABLE)


class Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


class Docker:
    """One connection. seconds: how long each answer may take; None: as long as it takes."""

    def __init__(self, seconds: float | None = None) -> None:
        self.connection = Connection("docker", timeout=seconds)

    def ask(self, path: str, **filters: str) -> Any:
        """The answer (docs.docker.com/reference/api/engine), None if Docker has no such thing.

        Raises OSError if nobody answers, or with what Docker has to say instead.
        """
        query = f"filters={quote(json.dumps({name: [value] for name, value in filters.items()}))}"
        try:
            self.connection.request("GET", f"{path}{'&' if '?' in path else '?'}{query}")
            answer = self.connection.getresponse()
            found = json.load(answer)
        except http.client.HTTPException as error:
            self.connection.close()
            raise OSError(f"{type(error).__name__}: {error}") from None
        except OSError:
            self.connection.close()
            raise
        if answer.status in NOTHING:
            return None
        if answer.status != http.client.OK:
            raise OSError(f"{path}: {answer.status} {found.get('message')}")
        return found

    def killed_for_memory(self, since: float, until: float) -> list[tuple[int, str]]:
        """When the kernel told of such a process, in nanoseconds, and of which container: its id.

        since, until: seconds since 1970. An event alone is no proof (lab/engine/memory.py).
        """
        wanted = quote(json.dumps({"type": ["container"], "event": ["oom"]}))
        path = f"/events?since={since:.3f}&until={until:.3f}&filters={wanted}"
        self.connection.request("GET", path)
        with self.connection.getresponse() as answer:
            events = [json.loads(line) for line in answer.read().splitlines()]
        return [(event["timeNano"], event["Actor"]["ID"]) for event in events]

    def containers(self) -> list[dict[str, Any]]:
        """All of the lab's, as `docker inspect` has them; one that is removed meanwhile is none."""
        listed = self.ask("/containers/json?all=1", label="lab.service")
        found = (self.ask(f"/containers/{one['Id']}/json") for one in listed)
        return [one for one in found if one]
