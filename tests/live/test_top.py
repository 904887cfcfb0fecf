"""`fab top` shows what is, while it changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.config.paths import FOLDER
from lab.engine.ssh import wait_until
from lab.observe import rates
from lab.observe.top import View
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY

FAB = str(Path(sys.executable).parent / "fab")
STOPPED = TOPOLOGY.web[1].nginx
REQUESTS = 40
SEEN_SECONDS = 20


@pytest.fixture(scope="module")
def view(running):
    view = View(running)
    view.wait()
    return view


def site_row(view, name):
    return next(row for row in rates.site(view.seen) if row.cells[0] == name)


def node_rows(view, node):
    """The rows of one node: its own, then those of its containers."""
    return rates.nodes({node: view.seen[node]})


def wait_seen(what, look, enough):
    return wait_until(what, look, enough, seconds=SEEN_SECONDS, advice=lambda _: "fab top --once")


def test_once_shows_every_node_and_all_that_runs_there():
    command = (FAB, "top", "--once")
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    for node in TOPOLOGY.names:
        assert f"\n{node}  " in done.stdout
    assert " no answer " not in done.stdout
    settings = TOPOLOGY.settings
    assert done.stdout.count(" ONLINE, sees 3 online, ") == len(settings.mysql)
    assert done.stdout.count(" PRIMARY ONLINE, ") == 1
    ring = f"sees {len(settings.cassandra)} NORMAL, none silent, 1 schema"
    assert done.stdout.count(ring) == len(settings.cassandra)
    assert done.stdout.count(" of 4 workers busy, queue 0") == len(TOPOLOGY.web)
    for name in TOPOLOGY.nginx_nodes:
        assert f"\nnginx on {name}  UP " in done.stdout


def test_no_container_takes_more_than_it_may(running):
    # The very first rates, whose samples are the most uneven.
    fresh = View(running)
    fresh.wait()
    for row in rates.nodes(fresh.seen):
        if not row.cells[0]:
            limit = getattr(TOPOLOGY.limits, row.cells[1].split("-")[0])
            assert float(row.cells[3]) <= limit.cpus * 100 * 1.5, row
            assert float(row.cells[4]) <= limit.memory, row


def test_requests_are_counted(view):
    wait_seen("quiet", lambda: site_row(view, "all").cells[2], lambda rate: rate == "0.0")
    before = int(site_row(view, "all").cells[-1])
    client = Client(TOPOLOGY.virtual_address)
    for _ in range(REQUESTS):
        assert client.get("/uwsgi_health")[0] == 200
    wait_seen(
        f"{REQUESTS} requests",
        lambda: int(site_row(view, "all").cells[-1]) - before,
        lambda count: count == REQUESTS,
    )
    wait_seen("quiet", lambda: site_row(view, "all").cells[2], lambda rate: rate == "0.0")


def test_the_rate_and_errors_of_a_load_are_seen(view):
    client = Client(TOPOLOGY.virtual_address)

    def ask():
        assert client.get("/nowhere")[0] == 404
        row = site_row(view, "all")
        return row.cells[2], row.cells[3]

    wait_seen("a rate of requests and of 4xx", ask, lambda seen: min(map(float, seen)) > 1)


def test_a_stopped_nginx_is_down_and_not_well(running, view):
    node = running.nodes[STOPPED]
    (name,) = (c.name for c in node.observe().containers.values() if c.service == "nginx")

    def look():
        row = next(row for row in node_rows(view, STOPPED) if row.cells[1] == name)
        return site_row(view, f"nginx on {STOPPED}").cells[1], row.cells[2], row.well

    try:
        node.run("docker", "stop", name)
        wait_seen("DOWN", look, lambda seen: seen[0] == "DOWN" and not seen[2])
    finally:
        node.run("docker", "start", name)
    wait_seen("UP", look, lambda seen: seen == ("UP", "healthy", True))


def test_a_node_that_says_nothing_holds_up_no_other(running, view):
    silent, *others = TOPOLOGY.names
    node = running.nodes[silent]
    sampler = r"^/usr/bin/python3 -IS /usr/local/sbin/lab-sampl[e]"
    times = {name: view.seen[name].now["time"] for name in others}
    node.run("pkill", "--signal=STOP", "--full", sampler)
    try:
        rows = wait_seen(
            "no answer",
            lambda: node_rows(view, silent),
            lambda rows: [row.cells[2] for row in rows] == ["no answer"],
        )
        assert not rows[0].well
        for name in others:
            assert view.seen[name].now["time"] > times[name] + 2
    finally:
        node.run("pkill", "--signal=CONT", "--full", sampler)
    wait_seen(
        "an answer again",
        lambda: node_rows(view, silent)[0].cells[2],
        lambda state: state == "answers",
    )
