"""The role endpoint: GET /primary, /replica and /health answer 200 or 503, /state always 200.

Answers from the last observation, which is the body, and never waits for the server. Also the
client of the other servers' endpoints.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from group_agent import decide
from group_agent.decide import Member, Observation, Others, Phase, Role, State

PORT = 9200
# Seconds, for the others' answers and for a client's request. Less than decide.FRESH, so that
# what is known of this server is still fresh after a look at the others.
TIMEOUT = 0.5


@dataclass(slots=True)
class Board:
    """What the endpoint answers from; its fields are replaced, never changed."""

    observation: Observation
    observed: float = 0.0  # time.monotonic(), before it was looked at
    held: bool = False
    phase: Phase = Phase.SERVING

    @property
    def age(self) -> float:
        return time.monotonic() - self.observed


class Endpoint(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, board: Board) -> None:
        self.board = board
        super().__init__((board.observation.address, PORT), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a balancer that hangs up early is no news
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Endpoint
    timeout = TIMEOUT

    def do_GET(self) -> None:
        board = self.server.board
        observation, age = board.observation, board.age
        code = decide.status(self.path, observation, phase=board.phase, age=age, held=board.held)
        body = json.dumps(report(observation, age=age, held=board.held)) + "\n"
        # In one write: HAProxy closes once it has read the status; a second one would meet a reset.
        self.wfile.write(
            f"HTTP/1.0 {code} {self.responses[code][0]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Sixteen checks a second are no news."""


def report(observation: Observation, *, age: float, held: bool) -> dict[str, Any]:
    return {
        "state": observation.state,
        "role": observation.role,
        "age": round(age, 3),
        "held": held,
        **asdict(observation),
    }


def others(addresses: Sequence[str]) -> Others:
    """What the other servers say about themselves, all asked at the same time."""
    with ThreadPoolExecutor(len(addresses) or 1) as pool:
        return dict(zip(addresses, pool.map(_other, addresses), strict=True))


def _other(address: str) -> Observation | None:
    connection = HTTPConnection(address, PORT, timeout=TIMEOUT)
    try:
        connection.request("GET", "/state")
        return observation(json.load(connection.getresponse()))
    except (OSError, HTTPException, LookupError, TypeError, ValueError):
        return None
    finally:
        connection.close()


def observation(reported: dict[str, Any]) -> Observation | None:
    if reported["age"] >= decide.FRESH:
        return None
    return Observation(
        address=reported["address"],
        answers=reported["answers"],
        gtids=reported["gtids"],
        # An agent of an earlier release does not say.
        free=reported.get("free", 0),
        members=tuple(
            Member(
                uuid=m["uuid"], address=m["address"], state=State(m["state"]), role=Role(m["role"])
            )
            for m in reported["members"]
        ),
    )
