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

from lab.engine.ssh import wait_until
from lab.errors import LabError

SECONDS = 20
# Whom the lab signs in as: an account without rights (django_app/project/setup/mysql.py).
PROBE = "lab-probe"


Response = tuple[int, Message, str]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirect is the answer, like any other."""


def opener(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """Asks the lab's addresses straight, whatever proxy this machine has for others'."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)  # noqa: TID251


class Client:
    """Keeps cookies; answers (status, headers, text) whatever the status.

    follow: whether the answer to a redirect is that of where it leads to; origin: what a browser
    calls the site, if a tunnel or a proxy leads it to the address.
    """

    def __init__(self, address: str, *, follow: bool = True, origin: str = "") -> None:
        self.base = f"http://{address}"
        self.origin = origin or self.base
        self.cookies = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.cookies)
        self._opener = opener(cookies, *(() if follow else (_NoRedirect(),)))

    def cookie_header(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)

    def get(self, path: str, seconds: float = SECONDS) -> Response:
        return self._ask(urllib.request.Request(self.base + path), seconds)  # noqa: S310

    def post(self, path: str, form: Mapping[str, str], page_path: str = "") -> Response:
        """Posts a form as the page that offers it would: page_path, or path itself."""
        status, _, page = self.get(page_path or path)
        issued = hidden(page)
        if not issued:
            raise LabError(f"{self.base}{path}: {status}, no form there")
        return self.send(path, {**issued, **form})

    def send(self, path: str, form: Mapping[str, str], seconds: float = SECONDS) -> Response:
        """Posts a form whose page was read before: what is hidden in it is among the fields."""
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.base + path, data=body)  # noqa: S310
        request.add_header("Referer", self.origin + path)
        request.add_header("Origin", self.origin)
        return self._ask(request, seconds)

    def _ask(self, request: urllib.request.Request, seconds: float) -> Response:
        request.add_header("Host", urllib.parse.urlsplit(self.origin).netloc)
        try:
            try:
                answer = self._opener.open(request, timeout=seconds)
            except urllib.error.HTTPError as error:
                # An answer like any other, which may break off as well.
                answer = error
            with answer:
                return answer.status, answer.headers, answer.read().decode()
        except (http.client.HTTPException, UnicodeDecodeError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from None

    def sign_in(self, username: str, password: str) -> Response:
        return self.post("/accounts/login/", {"username": username, "password": password})

    def sign_out(self) -> Response:
        return self.post("/accounts/logout/", {}, page_path="/posts/")


def hidden(page: str) -> dict[str, str]:
    """The fields that a page's form sends without being filled in: its token, above all."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', page))


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
