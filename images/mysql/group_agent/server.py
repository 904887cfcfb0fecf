"""The local MySQL server, through its socket: looking at it and telling it what to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import MySQLdb  # type: ignore[import-untyped]
from MySQLdb.cursors import Cursor  # type: ignore[import-untyped]

from group_agent.decide import Member, Observation, Role, State

SOCKET = "/run/mysqld/mysqld.sock"
DATA = "/var/lib/mysql"
USER = "group_agent"
NO_CLIENTS = ("system user", "event_scheduler", "replication", USER)

# Seconds. A healthy server answers a poll in milliseconds; a start that has not got into the group
# after a minute fails by itself.
POLL_TIMEOUT = 2
ACT_TIMEOUT = 120

# Seconds that a handover leaves to open transactions, and after which it is given up.
TRANSACTIONS_TIMEOUT = 2
HANDOVER_TIMEOUT = 4

MEMBERS = (
    "SELECT member_id, member_host, member_state, member_role"
    " FROM performance_schema.replication_group_members WHERE member_host <> ''"
)
# What was received and not yet applied counts: a member applies it before anything else.
GTIDS = (
    "SELECT CONCAT_WS(',', NULLIF(@@GLOBAL.gtid_executed, ''), NULLIF(("
    " SELECT received_transaction_set FROM performance_schema.replication_connection_status"
    " WHERE channel_name = 'group_replication_applier'), ''))"
)


class Poller:
    """Observes the server over one connection, which it keeps."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: MySQLdb.Connection | None = None

    def observe(self) -> Observation:
        try:
            if self._connection is None:
                self._connection = _connect(POLL_TIMEOUT)
            with self._connection.cursor() as cursor:
                members = _rows(cursor, MEMBERS)
                [(gtids,)] = _rows(cursor, GTIDS)
        except MySQLdb.Error:
            self._connection = None
            return Observation(address=self._address, answers=False, free=free())
        return Observation(
            address=self._address,
            members=tuple(
                Member(uuid=uuid, address=host, state=State(state), role=Role(role))
                for uuid, host, state, role in members
            ),
            gtids=gtids.replace("\n", ""),
            free=free(),
        )


def free() -> int:
    """MiB that mysqld may still write to the disk with its data."""
    disk = os.statvfs(DATA)
    return disk.f_bavail * disk.f_frsize // 2**20


def start_replication(password: str, *, bootstrap: bool) -> None:
    """Raises MySQLdb.Error if the server does not get into the group."""
    with _cursor(ACT_TIMEOUT) as cursor:
        cursor.execute("STOP GROUP_REPLICATION")  # a member in ERROR has not stopped it
        cursor.execute("SET GLOBAL group_replication_bootstrap_group = %s", (bootstrap,))
        try:
            cursor.execute(
                "START GROUP_REPLICATION USER = 'replication', PASSWORD = %s", (password,)
            )
        finally:
            cursor.execute("SET GLOBAL group_replication_bootstrap_group = OFF")


def hand_over(uuid: str) -> None:
    with _cursor(HANDOVER_TIMEOUT) as cursor:
        cursor.execute(
            "SELECT group_replication_set_as_primary(%s, %s)", (uuid, TRANSACTIONS_TIMEOUT)
        )


def client_count() -> int:
    with _cursor(POLL_TIMEOUT) as cursor:
        users = [user for _, user, *_ in _rows(cursor, "SHOW PROCESSLIST")]
    return sum(user not in NO_CLIENTS for user in users)


@contextmanager
def _cursor(timeout: int) -> Iterator[Cursor]:
    connection = _connect(timeout)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _connect(timeout: int) -> MySQLdb.Connection:
    return MySQLdb.connect(
        unix_socket=SOCKET,
        user=USER,
        connect_timeout=POLL_TIMEOUT,
        read_timeout=timeout,
        autocommit=True,
    )


def _rows(cursor: Cursor, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    return list(cursor.fetchall())
