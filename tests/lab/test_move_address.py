"""The virtual address moves to the other balancer and back while users read and write."""

import pytest

from lab.drills.guard import guard
from lab.drills.load import Load
from lab.remote import wait_until
from lab.tasks import balancers
from lab.tasks.drill import FOLDER, PREFIX, forgetting
from tests.conftest import TOPOLOGY

SECONDS = 30


@pytest.mark.long
def test_the_address_moves_there_and_back_and_no_request_fails(running, capsys):
    password = running.secrets["django_admin_password"]
    with guard(FOLDER / "guard.log") as guarding, guarding.standing(forgetting(running)):
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
