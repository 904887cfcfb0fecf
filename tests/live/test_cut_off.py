"""A MySQL server without the majority accepts no write, whoever asks it, and comes back on its own.

Each write goes straight to a server, past the balancer that would not lead there.
"""

import random
import subprocess
from contextlib import contextmanager

import pytest

from lab.drills.faults import faults
from lab.drills.targets import targets
from tests.conftest import TOPOLOGY
from tests.live.support import mysql_group
from tests.live.support.mysql_group import SERVERS
from tests.live.support.written import ACKNOWLEDGED, REFUSED, outcome, table
from tests.nodes.conftest import SSH

FAULTS = faults(TOPOLOGY.names)
# Until a server without a majority gives up (10 s), and until the others see it gone.
GIVEN_UP_SECONDS = 60


@contextmanager
def struck(lab, name):
    """A drill's fault; yields the node that it hit."""
    fault = FAULTS[name]
    (target,) = targets(lab, fault.role, random.Random(name))  # noqa: S311 - to be repeated
    try:
        for command in fault.do(target):
            lab.nodes[command.node].run(*command.argv)
        yield target.node
    finally:
        for command in fault.undo(target):
            lab.nodes[command.node].run(*command.argv)


@pytest.mark.long
@pytest.mark.parametrize("role", ["mysql-primary", "mysql-replica"])
def test_a_server_that_is_cut_off_accepts_no_write(running, role):
    with table(running) as written:
        before = mysql_group.wait_whole(running)
        assert written.at(before) == ACKNOWLEDGED
        with struck(running, f"{role}-cut-off") as minority:
            # Asked at once: it does not know yet that it is alone. It waits for the others.
            at_once = written.at(minority)
            majority = [name for name in SERVERS if name != minority]
            primary = mysql_group.wait_primary_among(running, majority)
            if role == "mysql-replica":
                assert primary == before
            for _ in range(3):
                written.until_acknowledged(primary)
            mysql_group.wait_for(
                running,
                f"{minority}: out of the group",
                lambda seen: not seen[minority].startswith("ONLINE"),
                GIVEN_UP_SECONDS,
            )
            afterwards = written.at(minority)
        assert (at_once, afterwards) == (REFUSED, REFUSED)
        written.compare()


# One statement after another, each with a line once it is done, and no more after one that failed.
# The password stays in the container that has it.
CLIENT = """
MYSQL_PWD=$(cat /run/secrets/mysql_test_password) exec \
  mysql --host "$1" --user django_test --skip-column-names --unbuffered
"""


class Client:
    """Of one server, on another one's node; it lives on while that server is paused."""

    def __init__(self, node, server):
        inside = f"sh -c '{CLIENT}' sh {TOPOLOGY.address(server)}"
        self._process = subprocess.Popen(
            (*SSH, node, f"sudo docker exec -i mysql {inside}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, statement, number):
        self._process.stdin.write(f"{statement}; SELECT 'done {number}';\n")
        self._process.stdin.flush()

    def wait_done(self, number):
        assert self._process.stdout.readline() == f"done {number}\n"

    def end(self):
        """What it was told since."""
        output, errors = self._process.communicate(timeout=GIVEN_UP_SECONDS)
        return output.split("\n")[:-1], errors


@pytest.mark.long
def test_what_waits_for_a_paused_primary_is_not_acknowledged_and_then_lost(running):
    with table(running) as written:
        before = mysql_group.wait_whole(running)
        others = [name for name in SERVERS if name != before]
        client = Client(others[0], before)
        number, statement = written.insert()
        client.send(statement, number)
        client.wait_done(number)
        written.rows[number] = ACKNOWLEDGED
        with struck(running, "mysql-primary-paused") as paused:
            assert paused == before
            # It is in the server's socket, and will be read when the others have gone on.
            waiting, statement = written.insert()
            client.send(statement, waiting)
            primary = mysql_group.wait_primary_among(running, others)
            written.until_acknowledged(primary)
        told, errors = client.end()
        written.rows[waiting] = ACKNOWLEDGED if told else outcome(errors)
        written.compare()
        # Neither is wrong; but it was expelled, and what it does not know is refused.
        assert written.rows[waiting] == REFUSED, (told, errors)
