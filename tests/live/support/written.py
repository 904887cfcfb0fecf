"""Rows that a test writes to MySQL, what it was told of each, and what there is of them."""

import itertools
import re
from contextlib import contextmanager

from lab.engine.ssh import wait_until
from tests.live.support import mysql_group
from tests.live.support.data_faults import sql
from tests.live.support.mysql_group import SERVERS

# Which the tests' account may write to, too.
DATABASE = "test_djangodb"
TABLE = f"{DATABASE}.written"

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"
# mysqld's own words: it is read-only (1290), it had to roll back (3100, 3101), it can't ask the
# group (3796).
REFUSALS = {"1290", "3100", "3101", "3796"}
# The client's: nobody listens (2002, 2003), or the connection ended (2006, 2013).
SILENCE = {"2002", "2003", "2006", "2013"}
WRITE_SECONDS = 60


class Written:
    """rows: number to what was told of it."""

    def __init__(self, lab):
        self._lab = lab
        self._numbers = itertools.count(1)
        self.rows = {}

    def insert(self):
        """A new row's number, and the statement that writes it."""
        number = next(self._numbers)
        self.rows[number] = UNKNOWN
        return number, f"INSERT INTO {TABLE} VALUES ({number})"  # noqa: S608 - its own

    def at(self, node):
        """Writes a row over a server's own socket, as its administrator; what it was told."""
        number, statement = self.insert()
        client = ("docker", "exec", "mysql", "mysql", "-uroot", "--execute", statement)
        ended, _, errors = self._lab.nodes[node].attempt(*client)
        self.rows[number] = ACKNOWLEDGED if ended == 0 else outcome(errors)
        return self.rows[number]

    def until_acknowledged(self, node):
        wait_until(
            f"a write on {node}",
            lambda: self.at(node),
            ACKNOWLEDGED.__eq__,
            seconds=WRITE_SECONDS,
            advice=lambda _: "`fab logs --service=mysql`",
        )

    def of(self, told):
        return {number for number, outcome in self.rows.items() if outcome == told}

    def compare(self):
        """On every server: what was acknowledged is there, what was refused is not."""
        executed = sql(self._lab, mysql_group.wait_whole(self._lab), "SELECT @@gtid_executed")
        executed = executed.replace("\\n", "").strip()
        for name in SERVERS:
            wait = f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{executed}', 60)"
            assert sql(self._lab, name, wait).strip() == "0", f"{name} lags"
            found = set(map(int, sql(self._lab, name, f"SELECT n FROM {TABLE}").split()))  # noqa: S608
            assert self.of(ACKNOWLEDGED) <= found, f"{name} lost what was acknowledged"
            assert not self.of(REFUSED) & found, f"{name} has what was refused"
            assert found <= self.rows.keys()


def outcome(errors):
    codes = set(re.findall(r"ERROR (\d+)", errors))
    assert codes and codes <= REFUSALS | SILENCE, errors
    return REFUSED if codes <= REFUSALS else UNKNOWN


@contextmanager
def table(lab):
    """An empty one, on every server, and a Written for it."""
    primary = mysql_group.wait_whole(lab)
    drop = f"DROP DATABASE IF EXISTS {DATABASE}"
    create = f"CREATE DATABASE {DATABASE}; CREATE TABLE {TABLE} (n INT PRIMARY KEY)"
    sql(lab, primary, f"{drop}; {create}")
    try:
        yield Written(lab)
    finally:
        sql(lab, mysql_group.wait_whole(lab), drop)
