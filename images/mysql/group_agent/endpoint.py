"""The role endpoint: GET /primary, /replica and /health answer 200 or 503, /state always 200.

Answers from the last observation, which is the body, and never waits for the server. Also the
client of the other servers' endpoints.
"""

import json
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from group_agent import decide
from group_agent.decide import Member, Observation, Others, Phase, Role, State

PORT = 9200
# Seconds, for the others' answers. Less than decide.FRESH, so that what is known of this server is
# still fresh after a look at the others.
TIMEOUT = 0.5
# Bytes; what a check, the other servers and curl send is a tenth of it.
REQUEST = 4096


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


class Endpoint:
    """Answers one client after another: two balancers ask sixteen times a second, and a thread for
    each costs several times what the answer does."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.listener = socket.create_server((board.observation.address, PORT), backlog=64)
        # Of a client that has not asked yet the kernel tells only after a second, so none that
        # is slow or silent keeps another one waiting.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)

    def serve_forever(self) -> None:
        while True:
            client, _ = self.listener.accept()
            with client, suppress(OSError):  # one that hangs up early is no news
                client.setblocking(False)
                client.send(answer(client.recv(REQUEST), self._board))


def answer(request: bytes, board: Board) -> bytes:
    """In one piece: HAProxy closes once it has read the status; a second would meet a reset."""
    method, path, *_ = [*request.decode("latin-1").split(maxsplit=2), "", ""]
    observation, age = board.observation, board.age
    code = decide.status(path, observation, phase=board.phase, age=age, held=board.held)
    body = json.dumps(report(observation, age=age, held=board.held)) + "\n"
    status = HTTPStatus(code if method == "GET" else HTTPStatus.NOT_IMPLEMENTED)
    return (
        f"HTTP/1.0 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


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
