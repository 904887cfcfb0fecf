"""A small client of the site, for what needs no browser."""

from __future__ import annotations

import http.client
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.message import Message

from lab.errors import LabError
from lab.remote import wait_until

SECONDS = 20


Answer = tuple[int, Message, str]


class Client:
    """Keeps cookies; follows redirects; answers (status, headers, text) whatever the status."""

    def __init__(self, address: str) -> None:
        self.base = f"http://{address}"
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def cookie_header(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)

    def get(self, path: str, seconds: float = SECONDS) -> Answer:
        return self._ask(urllib.request.Request(self.base + path), seconds)  # noqa: S310

    def post(
        self, path: str, form: Mapping[str, str], seconds: float = SECONDS, page_path: str = ""
    ) -> Answer:
        """Posts a form with the token of the page that offers it: page_path, or path itself."""
        status, _, page = self.get(page_path or path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if not found:
            raise LabError(f"{self.base}{path}: {status}, no form there")
        token = found[1]
        body = urllib.parse.urlencode({**form, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.base + path, data=body)  # noqa: S310
        request.add_header("Referer", self.base + path)
        return self._ask(request, seconds)

    def _ask(self, request: urllib.request.Request, seconds: float) -> Answer:
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode(errors="replace")
        except (http.client.HTTPException, UnicodeDecodeError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from None

    def sign_in(self, username: str, password: str) -> Answer:
        return self.post("/accounts/login/", {"username": username, "password": password})

    def sign_out(self) -> Answer:
        return self.post("/accounts/logout/", {}, page_path="/posts/")


def status_of(client: Client, path: str, seconds: float) -> int:
    """The status of one answer; 0 if there is none within so many seconds."""
    try:
        return client.get(path, seconds)[0]
    except OSError:
        return 0


def wait_ready(address: str, seconds: float = 120) -> None:
    """Polls /ready until it answers 200. Raises LabError with the last that was seen."""

    def look() -> tuple[int, str]:
        try:
            status, _, text = Client(address).get("/ready", 5)
        except OSError as error:
            return 0, str(error)
        return status, " ".join(text.split())[:120]

    wait_until(
        f"http://{address}/ready",
        look,
        lambda seen: seen[0] == 200,
        seconds=seconds,
        advice=lambda _: "`fab status`, `fab logs`",
    )
