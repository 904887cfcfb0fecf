"""A small client of the site, for tests that need no browser."""

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request

SECONDS = 20


class Client:
    """Keeps cookies; follows redirects; answers (status, headers, text) whatever the status."""

    def __init__(self, address):
        self.base = f"http://{address}"
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def get(self, path, seconds=SECONDS):
        return self._ask(urllib.request.Request(self.base + path), seconds)  # noqa: S310

    def post(self, path, form, seconds=SECONDS):
        """Posts a form with the token of the page that offers it."""
        _, _, page = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        body = urllib.parse.urlencode({**form, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.base + path, data=body)  # noqa: S310
        request.add_header("Referer", self.base + path)
        return self._ask(request, seconds)

    def _ask(self, request, seconds):
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def sign_in(self, username, password):
        return self.post("/accounts/login/", {"username": username, "password": password})


def wait_ready(address, seconds=120):
    """Polls /ready until it answers 200; fails with the last that was seen."""
    deadline, seen = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            status, _, seen = Client(address).get("/ready", 5)
        except OSError as error:
            status, seen = 0, str(error)
        if status == 200:
            return json.loads(seen)
        time.sleep(0.3)
    raise AssertionError(f"http://{address}/ready: not within {seconds} s; last seen: {seen}")
