"""A request is followed through all programs, and nothing secret is seen on the way."""

import re
import uuid
from itertools import pairwise

import pytest

from lab.engine.ssh import wait_until
from lab.errors import LabError
from lab.observe import trace
from lab.observe.timeline import table
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY

# Milliseconds by which HAProxy's and nginx's whole ones may be off, and a busy machine with them.
ROUNDED = 5
STOPPED = TOPOLOGY.web[1].nginx


class NamedClient(Client):
    """Gives all its requests one id."""

    def __init__(self):
        super().__init__(TOPOLOGY.virtual_address)

    def named(self):
        identity = f"test-{uuid.uuid4().hex}"
        self._opener.addheaders = [("X-Request-ID", identity)]
        return identity


@pytest.fixture(scope="module")
def client(running):
    client = NamedClient()
    status, _, _ = client.sign_in("admin", running.secrets["django_admin_password"])
    assert status == 200
    return client


def timelines(running, identity, count):
    """What becomes of the request's lines once all of them are in the logs."""

    def look():
        try:
            found = trace.find(running, identity)
        except LabError:
            return []
        return [t for t in found if any(hop.name == "Django" for hop in t.hops)]

    return wait_until(
        f"{count} requests with the id {identity}",
        look,
        lambda found: len(found) == count,
        seconds=10,
        advice=lambda _: "fab logs",
    )


def expect_nested(timeline):
    """Each hop lies within the one that called it, and the statements within Django."""
    haproxy, nginx, uwsgi, django, *statements = timeline.hops
    names = [hop.name for hop in (haproxy, nginx, uwsgi, django)]
    assert names == ["HAProxy", "nginx", "uWSGI", "Django"]
    assert haproxy.at == 0
    begins = [hop.at for hop in (haproxy, nginx, uwsgi, django)]
    assert all(outer - ROUNDED <= inner for outer, inner in pairwise(begins)), timeline
    # nginx and uWSGI may go on for a moment after the client has its answer.
    for outer in (haproxy, nginx, uwsgi):
        expect_within(outer, django)
    for statement in statements:
        expect_within(django, statement)
    assert statements == sorted(statements, key=lambda hop: hop.at)
    assert not any(hop.by_clocks for hop in timeline.hops)


def expect_within(outer, inner):
    assert outer.at - ROUNDED <= inner.at, (outer, inner)
    assert inner.at + inner.ms <= outer.at + outer.ms + ROUNDED, (outer, inner)


def statements(timeline):
    return [(hop.name, hop.detail) for hop in timeline.hops[4:]]


def begins(found, database, text):
    return [one for one in found if one[0] == database and one[1].startswith(text)]


def as_printed(running, identity):
    """Everything that the nodes' logs have of an id."""
    return "".join(node.run("lab-trace", identity) for node in running.nodes.values())


def test_signing_in_writing_and_reading_show_their_statements_and_no_value(running):
    client, password = NamedClient(), running.secrets["django_admin_password"]
    post = f"a post of a test {uuid.uuid4().hex}"

    signing_in = client.named()
    client.sign_in("admin", password)
    creating = client.named()
    client.post("/posts/create", {"content": post})
    listing = client.named()
    assert post in client.get("/posts/")[2]

    # The form, its post, and the page that it leads to have the same id here.
    _, signed_in, _ = timelines(running, signing_in, 3)
    _, created, _ = timelines(running, creating, 3)
    (listed,) = timelines(running, listing, 1)
    for timeline in (signed_in, created, listed):
        expect_nested(timeline)

    found = statements(signed_in)
    assert begins(found, "MySQL primary", "SELECT `auth_user`"), found
    assert begins(found, "MySQL primary", "INSERT INTO `django_session`"), found
    assert begins(found, "MySQL primary", "COMMIT"), found
    written = [detail.split(" (")[0] for _, detail in begins(statements(created), "Cassandra", "")]
    # Those that list a post are under way together, and then those that are the post.
    assert sorted(written[:3]) == [
        *("INSERT INTO months", "INSERT INTO months_of_accounts", "INSERT INTO owners"),
    ]
    assert sorted(written[3:]) == ["INSERT INTO posts", "INSERT INTO posts_of_accounts"]
    texts = [detail for _, detail in statements(listed)]
    session = next(n for n, text in enumerate(texts) if "FROM `django_session`" in text)
    posts = "SELECT id, content FROM posts_of_accounts WHERE account = ? AND month = ? AND id < ?"
    assert session < texts.index(f"{posts} LIMIT ?")
    # The session knows the months since its user signed in.
    assert "SELECT month FROM months_of_accounts WHERE account = ?" not in texts

    logged = "".join(as_printed(running, one) for one in (signing_in, creating, listing))
    secret = {cookie.name: cookie.value for cookie in client.cookies}
    for value in (password, post, secret["sessionid"], secret["csrftoken"]):
        assert value not in logged


def test_every_wiring_of_the_lab_is_followed(running, client):
    modes = {}
    for _ in TOPOLOGY.web:
        _, headers, _ = client.get("/posts/")
        (timeline,) = timelines(running, headers["X-Request-ID"], 1)
        expect_nested(timeline)
        _, nginx, uwsgi, django, *_ = timeline.hops
        modes[headers["X-Lab-Mode"]] = (nginx.node, uwsgi.node, django.node)
        assert f" 200, {headers['X-Lab-Mode']}: " in django.detail
        assert re.search(r", worker [1-4]: ", uwsgi.detail)
    assert modes == {s.mode: (s.nginx, s.django, s.django) for s in TOPOLOGY.web}


def haproxy(running, command):
    for balancer in TOPOLOGY.settings.balancers:
        socat = ("socat", "-", "UNIX-CONNECT:/run/haproxy/admin.sock")
        running.nodes[balancer].feed(
            f"{command}\n", "docker", "exec", "--interactive", "haproxy", *socat
        )


@pytest.fixture
def dead_server(running):
    """An nginx that is gone, and that HAProxy, which does not look any more, believes in."""
    node = running.nodes[STOPPED]
    (name,) = (c.name for c in node.observe().containers.values() if c.service == "nginx")
    server = f"nginx/{STOPPED}"
    haproxy(running, f"disable health {server}")
    node.run("docker", "stop", name)
    yield
    node.run("docker", "start", name)
    wait_until(
        f"{STOPPED}: {name}",
        lambda: node.observe().containers[name].health,
        lambda health: health == "healthy",
        seconds=30,
        advice=lambda _: f"docker logs {name}",
    )
    haproxy(running, f"enable health {server}")


def test_a_request_whose_first_server_is_dead_shows_the_retry(running, client, dead_server):
    details = []
    for _ in TOPOLOGY.web:
        status, headers, _ = client.get("/posts/")
        assert status == 200
        (timeline,) = timelines(running, headers["X-Request-ID"], 1)
        details.append(timeline.hops[0].detail)
    retried = [detail for detail in details if "retries 1, on another server" in detail]
    assert retried, details
    assert not any(f"server {STOPPED}" in detail for detail in details)


def test_an_id_that_nobody_knows_is_answered_in_one_line(running):
    with pytest.raises(LabError, match="no log has nobody-1: .*X-Request-ID") as raised:
        trace.find(running, "nobody-1")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("identity", ["", "a b", "$(id)", "--help", "x" * 129, "é"])
def test_what_can_be_no_id_is_refused(running, identity):
    with pytest.raises(LabError, match="should be a request's id"):
        trace.find(running, identity)
    # By the node too, where it is part of a command.
    status, _, errors = running.builder.attempt("lab-trace", identity)
    assert (status, "should be a request's id" in errors) == (2, True)


def test_probes_leave_no_statements_behind(running):
    identity = (client := NamedClient()).named()
    for path in ("/uwsgi_health", "/ready"):
        assert client.get(path)[0] == 200
    client.get("/nowhere")
    (timeline,) = timelines(running, identity, 1)
    assert "GET /nowhere 404" in "".join(table(timeline))
    assert "/ready" not in as_printed(running, identity).replace('\\"uri\\": \\"/ready\\"', "")
