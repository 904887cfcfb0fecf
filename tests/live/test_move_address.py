"""The virtual address moves to the other balancer and back while users read and write."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from lab.balancers import balancers
from lab.config.ports import WEB_PORT
from lab.doctor.examine import STRANGER
from lab.drills.drill import DRILL_REPORTS, PREFIX, forgetting
from lab.drills.guard import guard
from lab.drills.load import Load
from lab.engine.ssh import wait_until
from tests.conftest import TOPOLOGY
from tests.live.test_doctor import wait_well

SECONDS = 30
# More than a Django keeps connections to MySQL; what the balancer allows for a page (web.cfg.j2).
AT_A_TIME, PAGE_SECONDS = 16, 5
# A service whose Django shares a node with a balancer.
BESIDE = next((one for one in TOPOLOGY.web if one.django in TOPOLOGY.settings.balancers), None)


@pytest.mark.long
def test_the_address_moves_there_and_back_and_no_request_fails(running, capsys):
    password = running.secrets["django_admin_password"]
    with guard(DRILL_REPORTS / "guard.log") as guarding, guarding.standing(forgetting(running)):
        load = Load(TOPOLOGY.virtual_address, password, f"{PREFIX}moving-", lambda _: None)
        before = balancers.holder(running)
        (other,) = set(TOPOLOGY.settings.balancers) - {before}
        with load.running():
            for to in (other, before):
                assert balancers.move_address(running, to)
                moved = max(one.ended for one in load.requests)
                wait_until(
                    f"answers by {to}",
                    lambda moved=moved: load.served_since(moved),
                    lambda kinds: kinds >= {"list", "static", "post", "account", "session"},
                    seconds=SECONDS,
                    advice=lambda _: "fab doctor",
                )
    assert not balancers.move_address(running, before)
    slowest = max(one.seconds for one in load.requests)
    with capsys.disabled():
        print(f"\nmoved there and back: {len(load.requests)} requests, slowest {slowest:.1f} s")
    assert [f"{one.kind}: {one.wrong}" for one in load.requests if one.wrong] == []


def page(address):
    """The status of a page for which Django asks MySQL who is signed in: nobody is."""
    connection = HTTPConnection(address, WEB_PORT, timeout=PAGE_SECONDS)
    try:
        connection.request("GET", "/posts/", headers=STRANGER)
        return connection.getresponse().status
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()


def pages():
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return set(pool.map(page, [TOPOLOGY.address(BESIDE.nginx)] * AT_A_TIME))


@pytest.mark.long
@pytest.mark.skipif(BESIDE is None, reason="lab.yml has no Django on a balancer's node")
def test_a_django_beside_a_balancer_that_loses_the_address_goes_on(running):
    """It keeps connections to MySQL through that address; so does HAProxy, which ends softly."""
    (other,) = set(TOPOLOGY.settings.balancers) - {BESIDE.django}
    balancers.move_address(running, BESIDE.django)
    assert pages() == {302}
    running.nodes[BESIDE.django].run("docker", "kill", "--signal", "USR1", "haproxy")
    try:
        wait_until(
            f"the address on {other}",
            lambda: running.nodes[other].run("ip", "-4", "address"),
            lambda seen: f" {TOPOLOGY.virtual_address}/" in seen,
            seconds=SECONDS,
            advice=lambda _: "fab doctor",
        )
        assert pages() == {302}
    finally:
        running.nodes[BESIDE.django].run("docker", "restart", "haproxy")
    wait_well(running)
