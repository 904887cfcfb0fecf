"""The virtual address moves to the other balancer and back while users read and write."""

from lab.drills.guard import guarded
from lab.drills.load import Load
from lab.remote import wait_until
from lab.tasks import balancers
from lab.tasks.drill import PREFIX, forgetting
from tests.conftest import TOPOLOGY

SECONDS = 30


def answered(load, moment):
    return {one.kind for one in load.requests if one.began > moment and not one.wrong}


def test_the_address_moves_there_and_back_and_no_request_fails(running, capsys):
    password = running.secrets["django_admin_password"]
    with guarded(forgetting(running)):
        load = Load(TOPOLOGY.virtual_address, password, f"{PREFIX}moving-", lambda _: None)
        before = balancers.holder(running)
        (other,) = set(TOPOLOGY.settings.balancers) - {before}
        with load.running():
            for to in (other, before):
                assert balancers.move_address(running, to)
                moved = max(one.ended for one in load.requests)
                wait_until(
                    f"answers by {to}",
                    lambda moved=moved: answered(load, moved),
                    lambda kinds: kinds >= {"list", "static", "post", "account", "session"},
                    seconds=SECONDS,
                    advice=lambda _: "fab doctor",
                )
    assert not balancers.move_address(running, before)
    slowest = max(one.seconds for one in load.requests)
    with capsys.disabled():
        print(f"\nmoved there and back: {len(load.requests)} requests, slowest {slowest:.1f} s")
    assert [f"{one.kind}: {one.wrong}" for one in load.requests if one.wrong] == []
