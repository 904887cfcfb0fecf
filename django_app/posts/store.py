"""The way to the posts in Cassandra: connecting, and sending statements.

What is written and read is in by_account.py, and in by_name.py for older releases.
"""

import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cassandra import DriverException, OperationTimedOut, RequestExecutionException
from cassandra.cluster import EXEC_PROFILE_DEFAULT, NoHostAvailable, Session
from cassandra.protocol import RequestExecutionException as Refusal
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement
from django.conf import settings

from posts.cluster import CONNECT_TIMEOUT, REQUEST_TIMEOUT, Hedging, cluster
from project import statements

# Beside Django's names of the other databases.
CASSANDRA = "cassandra"


class StoreUnavailable(Exception):
    """Cassandra can't be reached, or too few replicas of the posts can."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose posts are meant. id: MySQL's own, which no other account ever gets; name: of now;
    joined: since when there is this account."""

    id: int
    name: str
    joined: datetime = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Post:
    id: uuid.UUID
    created: datetime
    content: str

    @property
    def shown(self) -> str:
        """When it was written, as readers are told. Django's filter takes six times as long."""
        return f"{self.created.day} {self.created:%B %Y, %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Store:
    """A session, its prepared statements, by the names that they have in STATEMENTS, and what
    learns how long they take."""

    session: Session
    prepared: Mapping[str, PreparedStatement]
    hedging: Hedging


STATEMENTS = {
    "insert_month": "INSERT INTO months_of_accounts (account, month) VALUES (?, ?)",
    "insert_post": "INSERT INTO posts_of_accounts (account, month, id, content, written_as)"
    " VALUES (?, ?, ?, ?, ?)",
    "select_months": "SELECT month FROM months_of_accounts WHERE account = ?",
    "select_posts": "SELECT id, content FROM posts_of_accounts"
    " WHERE account = ? AND month = ? AND id < ? LIMIT ?",
    "select_written": "SELECT id, written_as FROM posts_of_accounts"
    " WHERE account = ? AND month = ?",
    "delete_posts": "DELETE FROM posts_of_accounts WHERE account = ? AND month = ?",
    "delete_months": "DELETE FROM months_of_accounts WHERE account = ?",
    "insert_month_by_name": "INSERT INTO months (username, month) VALUES (?, ?)",
    "insert_post_by_name": "INSERT INTO posts (username, month, id, content) VALUES (?, ?, ?, ?)",
    "insert_owner": "INSERT INTO owners (username, month, id, account) VALUES (?, ?, ?, ?)",
    "select_months_by_name": "SELECT month FROM months WHERE username = ?",
    "select_ids_by_name_before": "SELECT id FROM posts"
    " WHERE username = ? AND month = ? AND id < ? LIMIT ?",
    "select_accounts": "SELECT DISTINCT account FROM months_of_accounts",
    "select_state_by_name": "SELECT id FROM posts WHERE username = ? AND month = ? AND id <= ?",
    "select_ids_by_name": "SELECT id FROM posts WHERE username = ? AND month = ?",
    "select_whole_by_name": "SELECT id, content, writetime(content) AS written"
    " FROM posts WHERE username = ? AND month = ? AND id IN ?",
    "select_partitions_by_name": "SELECT DISTINCT username, month FROM posts",
    "select_owners": "SELECT id FROM owners WHERE username = ? AND month = ?",
    "select_owners_of": "SELECT id FROM owners WHERE username = ? AND month = ? AND id IN ?",
    "take_post": "INSERT INTO posts_of_accounts (account, month, id, content, written_as)"
    " VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "take_month": "INSERT INTO months_of_accounts (account, month) VALUES (?, ?) USING TIMESTAMP ?",
    "take_owner": "INSERT INTO owners (username, month, id, account) VALUES (?, ?, ?, ?)"
    " USING TIMESTAMP ?",
    "delete_post_by_name": "DELETE FROM posts WHERE username = ? AND month = ? AND id = ?",
    "delete_owner": "DELETE FROM owners WHERE username = ? AND month = ? AND id = ?",
    "delete_month_by_name": "DELETE FROM months USING TIMESTAMP ? WHERE username = ? AND month = ?",
    "insert_milestone": "INSERT INTO milestones (name) VALUES (?)",
    "select_milestone": "SELECT name FROM milestones WHERE name = ?",
    "delete_milestone": "DELETE FROM milestones WHERE name = ?",
}

# A statement's name, and its values.
type Sent = tuple[str, tuple[object, ...]]

# Refusal is what the driver raises for the servers' errors that it has no class of its own for.
NOT_NOW = (NoHostAvailable, OperationTimedOut, RequestExecutionException, Refusal)

_lock = threading.Lock()
_store: Store | None = None


def connected() -> Store:
    """The process's one session, made at first use: by uWSGI's workers once they were forked
    (project/wsgi.py), as a session does not survive that."""
    global _store  # noqa: PLW0603 - one session per process
    if _store is None:
        if not _lock.acquire(timeout=CONNECT_TIMEOUT):
            raise StoreUnavailable("another thread is still connecting")
        try:
            if _store is None:
                with statements.timed(CASSANDRA, statements.CONNECT):
                    _store = connect()
        finally:
            _lock.release()
    return _store


def connect(request_timeout: float = REQUEST_TIMEOUT) -> Store:
    connection = cluster(
        settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD, request_timeout=request_timeout
    )
    try:
        session = connection.connect(settings.CASSANDRA_KEYSPACE)
        prepared_ones = {name: prepared(session, query) for name, query in STATEMENTS.items()}
        profile = session.get_execution_profile(EXEC_PROFILE_DEFAULT)
        return Store(session, prepared_ones, profile.speculative_execution_policy)
    except (NoHostAvailable, DriverException) as error:
        # A keyspace or a role that is not there yet is as good as no server.
        connection.shutdown()
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def prepared(session: Session, query: str) -> PreparedStatement:
    statement = session.prepare(query)
    statement.is_idempotent = True
    return statement


def disconnect() -> None:
    global _store  # noqa: PLW0603 - one session per process
    if _store is not None:
        _store.session.cluster.shutdown()
        _store = None


def bound(store: Store, name: str, values: tuple[object, ...]) -> BoundStatement:
    """Read as a whole: of a statement that is sent twice and comes in pages, the driver may take a
    late page for the next one, and hands out rows twice."""
    statement = store.prepared[name].bind(values)
    statement.fetch_size = None
    return statement


def read(store: Store, name: str, *values: object) -> list[Any]:
    """All rows of one statement."""
    (rows,) = together(store, (name, values))
    return rows


def write(store: Store, *sent: Sent) -> None:
    """Returns once all of them are acknowledged, which are under way at the same time."""
    together(store, *sent)


def together(store: Store, *sent: Sent) -> list[list[Any]]:
    """All rows of each of the statements, which are under way at the same time."""
    found = []
    with _refusals_told(), ExitStack() as under_way:
        began, futures = time.monotonic(), []
        for name, values in sent:
            one = under_way.enter_context(ExitStack())
            note = one.enter_context(statements.timed(CASSANDRA, STATEMENTS[name]))
            futures.append((one, note, store.session.execute_async(bound(store, name, values))))
        for one, note, future in futures:
            found.append(list(future.result()))
            note["server"] = future.coordinator_host.address
            one.close()
            if len(future.attempted_hosts) == 1:
                store.hedging.took(time.monotonic() - began)
    return found


def write_as_one(store: Store, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """The same statement for rows of one partition: all of them are written, or none is."""
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.is_idempotent = True
    for row in rows:
        batch.add(store.prepared[name], row)
    with _refusals_told():
        store.session.execute(batch)


def read_first(store: Store, name: str, *values: object) -> tuple[Any, bytes | None]:
    """The first row, if there is one, and the paging state behind it."""
    statement = bound(store, name, values)
    statement.fetch_size = 1
    with _refusals_told(), statements.timed(CASSANDRA, STATEMENTS[name]):
        found = store.session.execute(statement)
        return next(iter(found.current_rows), None), found.paging_state


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except NOT_NOW as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def check() -> None:
    """Raises unless posts can be read; no account has this id."""
    read(connected(), "select_months", -1)
