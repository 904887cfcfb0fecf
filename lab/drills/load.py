"""The users of a drill: they read and write at a steady rate, and note each answer.

Each request comes over a connection of its own, so that a balancer's death costs those alone that
are open in that moment. Whoever waits for an answer asks for nothing else meanwhile. A form that
failed is sent again, as a person would.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from hashlib import sha256
from itertools import count
from threading import Event, Lock, Thread, get_ident
from typing import Any

from lab.drills.ledger import Request
from lab.errors import LabError
from lab.visitor.client import Client, Response, hidden
from lab.visitor.journey import style_sheets

# Seconds that a user waits for an answer: longer than any time-out behind the balancer.
PATIENCE = 30.0
# What each user does, how many of them there are, and how often all of them together do it in a
# second. So many that some come anew while those of the last eight seconds still wait, or it would
# be their patience that is measured. An account without a password costs no hash; a session costs
# one, half a core's second.
WORKLOAD = (("read", 40, 5.0), ("post", 24, 3.0), ("account", 24, 3.0), ("session", 4, 0.5))
NEW_ACCOUNT = "/admin/auth/user/add/"
NEW_POST = "/posts/create"
SIGN_IN = "/accounts/login/"


class Wrong(Exception):
    """An answer that is not as it should be; str() says what it was."""


class Load:
    """prefix: what the name of each account begins with that is made here; note: is given each
    request as it was answered."""

    def __init__(
        self, address: str, admin_password: str, prefix: str, note: Callable[[Request], None]
    ) -> None:
        self.prefix, self._address, self._note = prefix, address, note
        self.writer, self._password = f"{prefix}writer", secrets.token_urlsafe()
        self.requests: list[Request] = []
        self._noting = Lock()
        # By kind, when the latest that was answered well had begun.
        self._served: dict[str, float] = {}
        # Who was signed in, by the key in the ledger: a session's own id is a secret.
        self.sessions: dict[str, Client] = {}
        self._numbers, self._sheets = count(1), [""]
        # Of a failed post its form is sent again: a refusal for good would be a mistake of ours.
        self._unsent: deque[tuple[str, dict[str, str]]] = deque()
        self._done = Event()
        # Each user's, held while it acts; and when those who wait for an answer asked.
        self._acting = [Lock() for _, users, _ in WORKLOAD for _ in range(users)]
        self._waiting: dict[int, float] = {}
        self._errors: list[Exception] = []
        self._admin = self._signed_in("admin", admin_password)
        self._make_writer()
        self.client = self._signed_in(self.writer, self._password)

    def _signed_in(self, username: str, password: str) -> Client:
        client = Client(self._address, follow=False)
        form = {"username": username, "password": password}
        advice = "`fab doctor`, and whether `fab status` says that admin has another password"
        _require(client, partial(client.post, SIGN_IN, form), advice)
        return client

    def _make_writer(self) -> None:
        passwords = {"password1": self._password, "password2": self._password}
        form = {"username": self.writer, "usable_password": "true", **passwords}
        _require(self._admin, partial(self._admin.post, NEW_ACCOUNT, form))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ends once each user has the answer that it waits for."""
        acting = iter(self._acting)
        threads = [
            Thread(
                target=self._go_on,
                args=(getattr(self, f"_{act}"), number / rate, users / rate, next(acting)),
            )
            for act, users, rate in WORKLOAD
            for number in range(users)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()
            # A session that nobody uses any more; the others go with their account.
            with suppress(OSError, LabError):
                self._admin.sign_out()
        if self._errors:
            raise self._errors[0]

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nobody asks for anything meanwhile: begins once everybody has the answer it waits for."""
        with ExitStack() as stopped:
            for acting in self._acting:
                stopped.enter_context(acting)
            yield

    def served_since(self, moment: float) -> frozenset[str]:
        """The kinds of requests that began after that and were answered well."""
        return frozenset(kind for kind, began in tuple(self._served.items()) if began > moment)

    def waiting_since_before(self, moment: float) -> bool:
        """Whether somebody still waits for an answer who asked before that."""
        return any(asked < moment for asked in tuple(self._waiting.values()))

    def _go_on(self, act: Callable[[], None], first: float, pause: float, acting: Lock) -> None:
        due = time.monotonic() + first
        while not self._done.wait(max(0.0, due - time.monotonic())):
            try:
                with acting:
                    act()
            except Exception as error:  # noqa: BLE001 - told when the users stop
                self._errors.append(error)
            due = next_due(due, pause, time.monotonic())

    def _asked(self, kind: str, ask: Callable[[], Any], key: str = "") -> Any:
        """The answer, noted; None if it was wrong."""
        began, wrong, answer = time.monotonic(), "", None
        self._waiting[get_ident()] = began
        try:
            answer = ask()
        except Wrong as error:
            wrong = str(error)
        except OSError as error:
            wrong = type(getattr(error, "reason", error)).__name__
        finally:
            del self._waiting[get_ident()]
        if kind == "session" and answer:
            key = answer
        request = Request(kind, key, began, time.monotonic() - began, wrong)
        with self._noting:
            self.requests.append(request)
            self._note(request)
            if not wrong:
                self._served[kind] = max(began, self._served.get(kind, began))
        return answer

    def _read(self) -> None:
        if page := self._asked("list", partial(self._page, self.client, "/posts/")):
            self._sheets = style_sheets(page) or self._sheets
        self._asked("static", partial(self._page, self.client, self._sheets[0]))

    def _post(self) -> None:
        key, form = self._unsent.popleft() if self._unsent else ("", {})
        if not form:
            page = self._asked("form", partial(self._page, self.client, NEW_POST))
            if not page:
                return
            key = f"post {next(self._numbers)}"
            form = {**hidden(page), "content": f"{self.prefix}{key}"}
        if not self._asked("post", partial(self._sent, self.client, NEW_POST, form), key):
            self._unsent.append((key, form))

    def _account(self) -> None:
        page = self._asked("form", partial(self._page, self._admin, NEW_ACCOUNT))
        if not page:
            return
        key = f"{self.prefix}{next(self._numbers)}"
        form = {**hidden(page), "username": key, "usable_password": "false"}
        self._asked("account", partial(self._sent, self._admin, NEW_ACCOUNT, form), key)

    def _session(self) -> None:
        client = Client(self._address, follow=False)
        page = self._asked("form", partial(self._page, client, SIGN_IN))
        if not page:
            return
        form = {**hidden(page), "username": self.writer, "password": self._password}

        def sign_in() -> str:
            self._sent(client, SIGN_IN, form)
            session = "".join(one.value or "" for one in client.cookies if one.name == "sessionid")
            if not session:
                raise Wrong("302 without a session")
            key = sha256(session.encode()).hexdigest()[:16]
            self.sessions[key] = client
            return key

        self._asked("session", sign_in)

    def _page(self, client: Client, path: str) -> str:
        status, _, page = client.get(path, PATIENCE)
        if status != 200:
            raise Wrong(str(status))
        return page

    def _sent(self, client: Client, path: str, form: dict[str, str]) -> bool:
        """A redirect acknowledges, but for that to the sign-in page; the form again does not."""
        status, headers, _ = client.send(path, form, PATIENCE)
        if status != 302:
            raise Wrong(str(status))
        if "/login/" in headers["Location"]:
            raise Wrong("302 to the sign-in page")
        return True


def next_due(due: float, pause: float, now: float) -> float:
    """When a user acts next that was due then and is done now: what it missed it does not catch up.

    Each user keeps its turn among the others: all who were held up together would come together
    from then on, and nobody in between.
    """
    return due + pause * (max(0.0, now - due) // pause + 1)


def _require(client: Client, act: Callable[[], Response], advice: str = "`fab doctor`") -> None:
    """Raises LabError unless a form is accepted, as it has to be before the users begin."""
    try:
        status, _, _ = act()
    except OSError as error:
        raise LabError(f"{client.base}: {error}: `fab doctor`") from None
    if status != 302:
        raise LabError(f"{client.base}: a form is answered by {status}: {advice}")
