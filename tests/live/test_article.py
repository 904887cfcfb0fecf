"""The article's web beside the lab's own: both rows serve the same posts, and leave nothing behind.

Long, but for the first: each starts four containers and ends them.
"""

import os
import signal

import pytest

from lab.config.paths import REPORTS
from lab.context import Lab
from lab.deploy.deploy import deploy
from lab.doctor.status import status
from lab.errors import LabError
from lab.matrix import compare
from lab.matrix.article import ROWS
from lab.matrix.ratios import OWN
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY
from tests.live.support.sources import Copy
from tests.live.test_modes import left

WEB = [service for service in TOPOLOGY.web if service.django == service.nginx][-1]


def test_a_web_that_is_not_as_planned_is_compared_with_nothing(running):
    other = Lab(TOPOLOGY.with_mode(WEB.django, "unix-socket"))
    line = f"matrix: {WEB.nginx}: the web is not as lab.yml and the release say: run `fab deploy`"
    before = left(running)
    with pytest.raises(LabError, match=line):
        compare.compare(other, tuple(ROWS), seconds=1)
    assert left(running) == before


@pytest.mark.long
def test_both_rows_list_the_same_posts_and_leave_nothing_behind(running, monkeypatch):
    before, headers = left(running), {}

    def turn(addresses, client, seconds, number, real=compare._turn):
        for who, address in addresses.items():
            _, answered, _ = Client(address).get("/uwsgi_health")
            headers[who] = answered["X-Lab-Mode"]
        return real(addresses, client, seconds, number)

    monkeypatch.setattr(compare, "_turn", turn)
    (found,) = compare.compare(running, tuple(ROWS), seconds=1, turns=1)
    # The article's own application bears no headers of the lab's.
    assert headers == {
        OWN: WEB.mode,
        "article-application": None,
        "article-configuration": "article-configuration",
    }
    assert set(found) == {(who, n) for who in (OWN, *ROWS) for n in (4, 16)}
    assert {who: measured.errors for who, measured in found.items()} == dict.fromkeys(found, 0)
    assert (REPORTS / "article.md").read_text().count("| 16 |") == 3
    assert left(running) == before
    assert status(running).troubles() == []


@pytest.mark.long
def test_ctrl_c_leaves_nothing_behind(running, tmp_path):
    before = left(running)
    run = Copy.make(tmp_path / "copy").start("matrix", "--mode=article-application", "--seconds=1")
    run.until("turn 1")
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.wait() == 130, run.output
    assert left(running) == before
    assert status(running).troubles() == []


@pytest.mark.long
def test_what_a_killed_run_left_is_removed_by_the_next_deploy(running, tmp_path):
    before = left(running)
    run = Copy.make(tmp_path / "copy").start("matrix", "--mode=article-application", "--seconds=1")
    run.until("turn 1")
    os.killpg(run.process.pid, signal.SIGKILL)
    run.wait()
    assert left(running) != before
    assert not status(running).healthy
    deploy(running, TOPOLOGY.web)
    assert left(running) == before
    assert status(running).troubles() == []
