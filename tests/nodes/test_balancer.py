"""The balancers: one holds the virtual address, both know every server's state."""

import base64
import csv
import io
import urllib.error
import urllib.request

import pytest

from lab.secrets.secrets import SECRETS
from lab.visitor.client import opener
from tests.conftest import TOPOLOGY
from tests.nodes.conftest import host

VIRTUAL = TOPOLOGY.virtual_address
BALANCERS = TOPOLOGY.settings.balancers


def get(url, password=None):
    """Status and text of a GET, with the statistics' account if a password is given."""
    request = urllib.request.Request(url)  # noqa: S310
    if password is not None:
        account = base64.b64encode(f"stats:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {account}")
    try:
        with opener().open(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="session")
def password():
    return (SECRETS / "haproxy_stats_password").read_text()


def test_one_balancer_and_no_other_node_holds_the_virtual_address():
    holders = [
        node
        for node in TOPOLOGY.names
        if host(node).run(f"ip -o -4 address show to {VIRTUAL}").stdout.strip()
    ]
    assert len(holders) == 1
    assert holders[0] in BALANCERS


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_statistics_ask_for_the_password(path, password):
    assert get(f"http://{VIRTUAL}:9080{path}")[0] == 401
    assert get(f"http://{VIRTUAL}:9080{path}", "wrong")[0] == 401
    assert get(f"http://{VIRTUAL}:9080{path}", password)[0] == 200


def test_metrics_are_prometheus_s(password):
    _, text = get(f"http://{VIRTUAL}:9080/metrics", password)
    assert "haproxy_backend_active_servers" in text


def test_every_server_is_in_the_state_that_its_role_gives_it(password):
    """Of the replicas' servers the primary is down, as it is no replica; its backup is up."""
    _, text = get(f"http://{VIRTUAL}:9080/;csv", password)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("# "))))
    up = {}
    for row in rows:
        if row["svname"] not in ("FRONTEND", "BACKEND"):
            up.setdefault(row["pxname"], []).append(row["status"].startswith("UP"))
    servers = len(TOPOLOGY.settings.mysql)
    assert up["nginx"] == [True] * len(TOPOLOGY.web)
    assert sorted(up["mysql_primary"]) == [False] * (servers - 1) + [True]
    assert sum(up["mysql_replicas"]) == (servers - 1) + 1


@pytest.mark.parametrize("balancer", BALANCERS)
@pytest.mark.parametrize("files", [["web.cfg"], ["mysql.cfg"], ["web.cfg", "mysql.cfg"]])
def test_each_configuration_file_is_valid_alone_and_together(balancer, files):
    arguments = " ".join(f"-f /etc/haproxy/{file}" for file in files)
    checked = host(balancer).run(f"docker exec haproxy haproxy -c {arguments}")
    assert checked.rc == 0, checked.stderr
