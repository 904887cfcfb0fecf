"""A POST is answered and logged whatever becomes of the nginx that has it."""

import http.client
import json
import threading
import time
import urllib.parse
import uuid
from collections import Counter
from itertools import cycle, islice

import pytest

from lab.errors import LabError
from lab.plan.modes import web
from lab.visitor.client import Client, hidden
from tests.conftest import TOPOLOGY
from tests.live.support.faults import killed

KILLS = 20
SENDERS = 4
ANSWER_SECONDS = 40
LONGEST = 400


class Sender(threading.Thread):
    """Writes posts, each on a connection of its own (kept: on one, as long as it is kept)."""

    def __init__(self, password, prefix, done, kept):
        super().__init__()
        self.client = Client(TOPOLOGY.virtual_address)
        self.client.sign_in("admin", password)
        self.prefix, self.done, self.kept, self.connection = prefix, done, kept, None
        self.answers = {}

    def run(self):
        deadline = time.monotonic() + LONGEST
        while not self.done.is_set() and time.monotonic() < deadline:
            identity = f"{self.prefix}-{uuid.uuid4().hex}"
            try:
                form = hidden(self.client.get("/posts/create")[2])
            except (OSError, LabError):
                continue
            if "issued" in form:
                self.answers[identity] = self.post(identity, form | {"content": identity})

    def post(self, identity, form):
        """The status, or the name of what kept it away."""
        if not (self.kept and self.connection):
            self.connection = http.client.HTTPConnection(
                TOPOLOGY.virtual_address, timeout=ANSWER_SECONDS
            )
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self.client.cookie_header(),
            "Referer": f"{self.client.base}/posts/create",
            "X-Request-ID": identity,
        }
        try:
            self.connection.request("POST", "/posts/create", urllib.parse.urlencode(form), headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            return type(error).__name__
        return answer.status


def logged(running, prefix):
    """How often each POST stands in the balancers' logs, by its id."""
    found = Counter()
    for balancer in TOPOLOGY.settings.balancers:
        text = running.nodes[balancer].run(
            "bash",
            "-c",
            f"docker logs haproxy 2>/dev/null | grep '\"{prefix}-' || true",
        )
        for line in text.splitlines():
            event = json.loads(line)
            found[event["request_id"], event["status"]] += 1
    return found


@pytest.mark.long
@pytest.mark.parametrize("kept", [False, True], ids=["new connections", "kept connections"])
def test_each_post_is_answered_and_logged_while_nginx_is_killed_twenty_times(running, tell, kept):
    prefix, done = f"post-{uuid.uuid4().hex[:8]}", threading.Event()
    password = running.secrets["django_admin_password"]
    senders = [Sender(password, prefix, done, kept) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for service in islice(cycle(TOPOLOGY.web), KILLS):
            # For POSTs to be on their way, now and while it is away: they are what is counted.
            time.sleep(1)
            with killed(service.nginx, web.name("nginx", service.mode))(running):
                time.sleep(0.5)
    finally:
        # Some more that follow the last kill.
        time.sleep(2)
        done.set()
        for sender in senders:
            sender.join()
    answers = {key: value for sender in senders for key, value in sender.answers.items()}
    found = logged(running, prefix)
    counts = Counter(answers.values())
    tell(f"{len(answers)} POSTs sent, {dict(counts)} answered, {found.total()} logged")
    assert len(answers) > 100
    assert set(counts) <= {302, 502, 503, 504}, counts
    assert found == Counter(answers.items())
