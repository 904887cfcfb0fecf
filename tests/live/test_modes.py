"""Every wiring on this lab: it serves all that a user needs, and leaves nothing behind.

The short form runs some of them, one second for each page; `make test-all` runs all.
"""

import json

import pytest

from lab.balancers import balancers
from lab.config.modes import OVERLAY
from lab.config.paths import REPORTS
from lab.doctor.status import status
from lab.engine import progress
from lab.matrix import run
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY

STEPS = ["log in", "tunnel", "post", "list", "static", "upload", "slow client", "404", "500"]
SHORT = ("unix-socket", "all-in-one", OVERLAY)


def left(running):
    """What a mode brings along, on every node."""
    return {name: _left_on(running.nodes[name]) for name in TOPOLOGY.names}


def _left_on(node):
    found = node.observe()
    return (
        sorted(found.containers),
        sorted(found.tasks),
        sorted(found.volumes),
        sorted(found.folders),
        sorted(node.run("docker", "network", "ls", "--format", "{{.Name}}").split()),
        sorted(node.run("ls", "/etc/lab/addressed", "/etc/lab/read").split()),
        node.run("iptables", "--table", "raw", "--list-rules"),
        node.run("docker", "info", "--format", "{{.Swarm.LocalNodeState}}"),
    )


def expect_all_well(results, modes):
    assert [result.mode for result in results] == list(modes)
    for result in results:
        assert result.journey == STEPS, result.mode
        assert {path: load.errors for path, load in result.load.items()} == {
            "static": 0,
            "health": 0,
            "list": 0,
        }, result.mode


def test_other_wirings_serve_and_leave_nothing_behind(running):
    before = left(running)
    results = run.run(running, SHORT, seconds=1)
    expect_all_well(results, SHORT)
    assert left(running) == before
    assert status(running).troubles() == []
    for service in TOPOLOGY.web:
        found, headers, _ = Client(TOPOLOGY.address(service.nginx)).get("/uwsgi_health")
        assert (found, headers["X-Lab-Mode"]) == (200, service.mode), service


@pytest.mark.long
def test_a_run_that_was_cut_off_goes_on_where_it_was(running, monkeypatch):
    modes, served = ("custom-bridge", "unix-socket"), set()

    def cut_off(lab, release, mode, seconds, real=run._measured):
        if mode == modes[1]:
            # As Ctrl-C among several nodes leaves it: others drained, nothing more to begin.
            balancers.set_state(lab, TOPOLOGY.nginx_nodes[:1], "drain")
            progress.interrupt()
            raise KeyboardInterrupt
        return real(lab, release, mode, seconds)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "_measured", cut_off)
        run.run(running, modes, seconds=1)
    for _ in range(2 * len(TOPOLOGY.web)):
        served.add(Client(TOPOLOGY.virtual_address).get("/uwsgi_health")[1]["X-Lab-Node"])
    assert served == {service.django for service in TOPOLOGY.web}
    assert status(running).troubles() == []
    kept = json.loads(run.RECORD.read_text())["results"][modes[0]]
    results = run.run(running, modes, seconds=1)
    expect_all_well(results, modes)
    assert results[0].start == kept["start"]
    assert not run.RECORD.exists()


@pytest.mark.long
def test_the_whole_matrix(running):
    results = run.run(running, run.every(), seconds=3)
    expect_all_well(results, run.every())
    assert (REPORTS / "matrix.md").read_text().count("\n| ") == len(run.every()) + 1
