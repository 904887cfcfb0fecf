"""Users at a steady rate: lists, posts, static files and logins through the virtual address.

Each takes from when it was due, however long its user was still busy with an earlier one. Users
keep their connections like browsers. Bounded: it ends with its block, and no later than after
LONGEST seconds.
"""

import http.client
import itertools
import queue
import re
import threading
import time
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.errors import LabError
from lab.visitor.client import Client
from lab.visitor.journey import style_sheets
from tests.conftest import TOPOLOGY

LONGEST = 300
USERS = 12
ANSWER_SECONDS = 30
RATES = (50, 40, 30, 20, 10, 5)
# What is asked for in turn; once a second somebody signs in besides.
TURN = ("list", "static", "list", "create", "static", "list", "static")


@dataclass(frozen=True)
class Answer:
    """due: time.monotonic(); seconds: from then on; what: kind of request; wrong: what was not as
    it should be."""

    due: float
    seconds: float
    what: str
    node: str
    release: str
    wrong: str


@dataclass
class Fire:
    """What was asked, and how it was answered."""

    rate: int
    answers: list[Answer] = field(default_factory=list)
    # The most seconds that a request began after it was due.
    late: float = 0.0
    # Whether it ended before its block did.
    cut_off: bool = False

    @property
    def failed(self):
        return [f"{answer.what}: {answer.wrong}" for answer in self.answers if answer.wrong]

    @property
    def slowest(self):
        return max(answer.seconds for answer in self.answers)

    def percentile(self, share):
        ordered = sorted(answer.seconds for answer in self.answers)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def first_of(self, node, release):
        """When a node first answered in a release."""
        return min(
            a.due + a.seconds for a in self.answers if (a.node, a.release) == (node, release)
        )

    def __str__(self):
        return (
            f"{len(self.answers)} requests at {self.rate}/s, {len(self.failed)} failed,"
            f" half within {self.percentile(0.5) * 1000:.0f} ms, slowest {self.slowest:.2f} s"
        )


class User:
    """One browser: a session, one kept connection."""

    def __init__(self, password):
        self._client = Client(TOPOLOGY.virtual_address)
        self._password = password
        self._page = ""
        self.connect()

    def connect(self):
        """Anew: HAProxy closes what was idle for 15 s, and only a browser tries again then."""
        self._connection = http.client.HTTPConnection(
            TOPOLOGY.virtual_address, timeout=ANSWER_SECONDS
        )

    def sign_in(self):
        self._client.sign_in("admin", self._password)

    def ask(self, what, due):
        try:
            headers, wrong = getattr(self, what)()
        except (OSError, http.client.HTTPException, LabError) as error:
            headers, wrong = {}, f"{type(error).__name__}: {error}"
            self.connect()
        seconds = time.monotonic() - due
        node, release = headers.get("X-Lab-Node", ""), headers.get("X-Lab-Release", "")
        return Answer(due, seconds, what, node, release, wrong)

    def list(self):
        status, headers, self._page = self._send("GET", "/posts/")
        return headers, "" if status == 200 and "Your posts" in self._page else f"{status}"

    def static(self):
        """The style sheets that the page of the last list names."""
        paths = style_sheets(self._page)
        if not paths:
            return {}, "the page names no style sheet"
        for path in paths:
            status, headers, _ = self._send("GET", path)
            if status != 200:
                return headers, f"{status} {path}"
        return {}, ""

    def create(self):
        _, _, page = self._send("GET", "/posts/create")
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', page))
        if not hidden:
            return {}, "no form"
        body = urllib.parse.urlencode({**hidden, "content": "written under fire"})
        status, headers, _ = self._send("POST", "/posts/create", body)
        return headers, "" if status == 302 else f"{status}"

    def login(self):
        fresh = Client(TOPOLOGY.virtual_address)
        status, headers, page = fresh.sign_in("admin", self._password)
        return headers, "" if status == 200 and "Your posts" in page else f"{status}"

    def _send(self, method, path, body=None):
        headers = {"Cookie": self._client.cookie_header()}
        if body is not None:
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Referer": f"http://{TOPOLOGY.virtual_address}{path}",
            }
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.headers, response.read().decode()


def signed_in(password):
    """Sessions that were opened beforehand."""
    users = [User(password) for _ in range(USERS)]
    for user in users:
        user.sign_in()
        user.list()
    return users


@contextmanager
def under_fire(users, rate):
    """Sends requests all the while; yields the Fire, complete once the block is left."""
    fire, done, due = Fire(rate), threading.Event(), queue.Queue()

    def schedule():
        began = time.monotonic()
        for number, what in enumerate(itertools.cycle(TURN)):
            moment = began + number / rate
            fire.cut_off = moment > began + LONGEST
            if fire.cut_off or done.wait(max(0.0, moment - time.monotonic())):
                break
            due.put((moment, what))
            if number % rate == 0:
                due.put((moment, "login"))
        for _ in users:
            due.put(None)

    def work(user):
        user.connect()
        while job := due.get():
            moment, what = job
            fire.late = max(fire.late, time.monotonic() - moment)
            fire.answers.append(user.ask(what, moment))

    threads = [
        threading.Thread(target=schedule),
        *(threading.Thread(target=work, args=(u,)) for u in users),
    ]
    for thread in threads:
        thread.start()
    try:
        yield fire
    finally:
        done.set()
        for thread in threads:
            thread.join()


def clean_rate(users, seconds=6):
    """The highest of RATES that the lab serves without failing and without falling behind."""
    for rate in RATES:
        with under_fire(users, rate) as fire:
            time.sleep(seconds)
        if not fire.failed and fire.late < 0.5:
            return rate
    raise AssertionError(f"not even {RATES[-1]} requests a second are served: {fire.failed[:5]}")
