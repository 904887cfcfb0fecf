"""The acceptance journey: what a user and a browser need, asked of one address step by step.

Works through any wiring; every step raises LabError with what was expected and what was seen.
"""

from __future__ import annotations

import re
import socket
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lab.errors import LabError
from lab.visitor.client import PROBE, Client

# nginx takes bodies of up to 1 MiB (images/webapp_nginx/nginx.conf).
UPLOAD_BYTES, TOO_LARGE_BYTES = 900_000, 1_200_000
# What a browser calls the site behind `ssh -L 18080:...:80`.
TUNNEL = "http://localhost:18080"
SLOW_PIECES, SLOW_PAUSE = 8, 0.2  # of a body, and seconds between them


@dataclass
class Journey:
    """address: whom to ask; mode: the wiring that has to answer, as in X-Lab-Mode."""

    address: str
    mode: str
    password: str
    client: Client = field(init=False)
    text: str = field(default_factory=lambda: f"a post of the journey, {uuid.uuid4()}")

    def __post_init__(self) -> None:
        self.client = Client(self.address)

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "log in", self._log_in
        yield "tunnel", self._tunnel
        yield "post", self._post
        yield "list", self._list
        yield "static", self._static
        yield "upload", self._upload
        yield "slow client", self._slow_client
        yield "404", self._not_found
        yield "500", self._broken

    def run(self) -> list[str]:
        """The names of the steps, once all of them succeeded."""
        done = []
        for name, step in self.steps():
            try:
                step()
            except OSError as error:
                raise LabError(f"{self.mode}: {name}: {self.address}: {error}") from None
            done.append(name)
        return done

    def _log_in(self) -> None:
        status, headers, page = self.client.sign_in(PROBE, self.password)
        self._expect("log in", status == 200 and "Your posts" in page, f"{status}")
        served = headers["X-Lab-Mode"]
        self._expect("log in", served == self.mode, f"an answer of the mode {served}")

    def _tunnel(self) -> None:
        tunnelled = Client(self.address, origin=TUNNEL)
        status, _, page = tunnelled.sign_in(PROBE, self.password)
        self._expect("tunnel", status == 200 and "Your posts" in page, f"{status}")

    def _post(self) -> None:
        status, _, page = self.client.post("/posts/create", {"content": self.text})
        self._expect("post", status == 200 and "Posted." in page, f"{status}")

    def _list(self) -> None:
        status, _, page = self.client.get("/posts/")
        self._expect("list", status == 200 and self.text in page, f"{status} without the post")

    def _static(self) -> None:
        _, _, page = self.client.get("/posts/")
        paths = style_sheets(page)
        self._expect("static", bool(paths), "a page without a style sheet")
        for path in paths:
            status, headers, _ = self.client.get(path)
            cached = headers["Cache-Control"] or ""
            self._expect("static", status == 200 and "immutable" in cached, f"{path}: {status}")

    def _upload(self) -> None:
        status, _, page = self.client.post("/posts/create", {"content": "x" * UPLOAD_BYTES})
        self._expect("upload", status == 200 and "<textarea" in page, f"{status}: no form")
        status, _, _ = self.client.post("/posts/create", {"content": "x" * TOO_LARGE_BYTES})
        self._expect("upload", status == 413, f"{status} for a body that is too large")

    def _slow_client(self) -> None:
        body = urllib.parse.urlencode({"username": "nobody", "password": "x" * 64}).encode()
        head = (
            f"POST /accounts/login/ HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((self.address, 80), timeout=10) as slow:
            slow.sendall(head.encode())
            size = -(-len(body) // SLOW_PIECES)
            for start in range(0, len(body), size):
                slow.sendall(body[start : start + size])
                time.sleep(SLOW_PAUSE)
            answer = slow.makefile("rb").readline().decode().strip()
        # Django's own refusal of a form without its token: the whole body went through.
        self._expect("slow client", " 403" in answer, answer)

    def _not_found(self) -> None:
        status, _, page = self.client.get(f"/nothing/{uuid.uuid4()}")
        self._expect("404", status == 404 and "Nothing here" in page, f"{status}")

    def _broken(self) -> None:
        status, headers, page = self.client.get("/admin/rehearsal/fail")
        shown = "Something broke" in page and bool(headers["X-Request-ID"])
        self._expect("500", status == 500 and shown, f"{status}")

    def _expect(self, step: str, holds: bool, seen: str) -> None:
        if not holds:
            raise LabError(f"{self.mode}: {step}: {self.address} answered {seen}")


def style_sheets(page: str) -> list[str]:
    return re.findall(r'<link[^>]+href="(/static/[^"]+\.css)"', page)
