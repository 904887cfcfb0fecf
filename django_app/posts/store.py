"""The posts in Cassandra: connecting, writing, reading. What a page is, is in paging.py."""

import threading
import uuid
from dataclasses import dataclass
from datetime import datetime

from cassandra import DriverException, OperationTimedOut, RequestExecutionException
from cassandra.cluster import NoHostAvailable, ResultSet, Session
from cassandra.protocol import ProtocolException
from cassandra.protocol import RequestExecutionException as Refusal
from cassandra.query import PreparedStatement
from django.conf import settings

from posts import paging
from posts.cluster import CONNECT_TIMEOUT, cluster
from posts.ids import month_of, time_of
from project import statements

PAGE_SIZE = 20
# Beside Django's names of the other databases.
CASSANDRA = "cassandra"


class StoreUnavailable(Exception):
    """Cassandra can't be reached, or too few replicas of the posts can."""


@dataclass(frozen=True, slots=True)
class Post:
    id: uuid.UUID
    created: datetime
    content: str


@dataclass(frozen=True, slots=True)
class Store:
    """A session and its prepared statements."""

    session: Session
    insert_month: PreparedStatement
    insert_post: PreparedStatement
    select_months: PreparedStatement
    select_posts: PreparedStatement


STATEMENTS = {
    "insert_month": "INSERT INTO months (username, month) VALUES (?, ?)",
    "insert_post": "INSERT INTO posts (username, month, id, content) VALUES (?, ?, ?, ?)",
    "select_months": "SELECT month FROM months WHERE username = ?",
    "select_posts": "SELECT id, content FROM posts WHERE username = ? AND month = ?",
}

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


def connect() -> Store:
    connection = cluster(settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD)
    try:
        session = connection.connect(settings.CASSANDRA_KEYSPACE)
        return Store(session, **{name: prepared(session, q) for name, q in STATEMENTS.items()})
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


def execute(
    store: Store,
    statement: PreparedStatement,
    values: tuple[object, ...],
    *,
    fetch_size: int = 100,
    state: bytes | None = None,
) -> ResultSet:
    bound = statement.bind(values)
    bound.fetch_size = fetch_size
    try:
        with statements.timed(CASSANDRA, statement.query_string) as note:
            found = store.session.execute(bound, paging_state=state)
            note["server"] = found.response_future.coordinator_host.address
            return found
    except NOT_NOW as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def add(username: str, identity: uuid.UUID, content: str) -> None:
    """May be repeated: the same id and content make the same post."""
    store = connected()
    month = month_of(time_of(identity))
    # The month first: a post in a month that is not listed would never be found.
    execute(store, store.insert_month, (username, month))
    execute(store, store.insert_post, (username, month, identity, content))


def remove(username: str) -> None:
    """All posts of a user. What is written meanwhile may stay."""
    session = connected().session
    months = session.execute("SELECT month FROM months WHERE username = %s", (username,))
    for row in months:
        values = (username, row.month)
        session.execute("DELETE FROM posts WHERE username = %s AND month = %s", values)
    session.execute("DELETE FROM months WHERE username = %s", (username,))


def page(username: str, start: paging.Position | None) -> paging.Page[Post]:
    """The user's posts from `start` on (None: from the newest)."""
    store = connected()

    def read(where: paging.Position, size: int) -> tuple[list[Post], bytes | None]:
        values = (username, where.month)
        found = execute(store, store.select_posts, values, fetch_size=size, state=where.state)
        rows = [Post(row.id, time_of(row.id), row.content) for row in found.current_rows]
        return rows, found.paging_state

    months = [row.month for row in execute(store, store.select_months, (username,))]
    try:
        return paging.page(months, start, PAGE_SIZE, read)
    except ProtocolException:
        # Signed, yet not understood by the servers: made before they were upgraded, say.
        raise paging.BadCursor from None


def check() -> None:
    """Raises unless posts can be read; nobody's name is a space."""
    store = connected()
    execute(store, store.select_months, (" ",))
