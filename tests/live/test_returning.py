"""A MySQL server comes back on its own when the others have purged what it missed: by clone."""

import pytest

from tests.live.support import mysql_group
from tests.live.support.data_faults import sql
from tests.live.support.written import ACKNOWLEDGED, table

# More than one transaction is missed, in more than one binary log.
ROWS = 5


def purge(lab, node):
    """All binary logs but a new one."""
    sql(lab, node, "FLUSH BINARY LOGS")
    last = sql(lab, node, "SHOW BINARY LOG STATUS").split()[0]
    sql(lab, node, f"PURGE BINARY LOGS TO '{last}'")


def executed(lab, node, variable="gtid_executed"):
    return sql(lab, node, f"SELECT @@GLOBAL.{variable}").replace("\\n", "").strip()


def ended_with(lab, node, since):
    """The exit statuses of mysqld, as its agent tells of them."""
    _, output, errors = lab.nodes[node].attempt("docker", "logs", "--since", since, "mysql")
    ends = [line for line in (output + errors).splitlines() if "mysqld ended with" in line]
    return [int(line.rsplit(" ", 1)[-1]) for line in ends]


@pytest.mark.long
@pytest.mark.parametrize("role", ["replica", "primary"])
def test_a_server_that_lacks_what_the_others_have_purged_comes_back_by_clone(running, role):
    with table(running) as written:
        primary = mysql_group.wait_whole(running)
        replica = next(name for name in mysql_group.SERVERS if name != primary)
        away = {"replica": replica, "primary": primary}[role]
        others = [name for name in mysql_group.SERVERS if name != away]
        assert written.at(primary) == ACKNOWLEDGED
        had = executed(running, away)
        running.nodes[away].run("docker", "stop", "mysql")
        since = running.nodes[away].run("date", "+%s.%N").strip()
        try:
            primary = mysql_group.wait_primary_among(running, others)
            for _ in range(ROWS):
                written.until_acknowledged(primary)
                for name in others:
                    purge(running, name)
            assert written.at(primary) == ACKNOWLEDGED
            for name in others:
                purged = executed(running, name, "gtid_purged")
                missing = f"SELECT GTID_SUBTRACT('{purged}', '{had}')"
                assert sql(running, name, missing).strip(), f"{name} has all that is missing"
        finally:
            running.nodes[away].run("docker", "start", "mysql")
        mysql_group.wait_whole(running)
        # Which is how mysqld asks to be started again after a clone.
        assert ended_with(running, away, since) == [16]
        assert len(written.of(ACKNOWLEDGED)) >= ROWS + 2
        written.compare()
