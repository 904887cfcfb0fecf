"""The Cassandra half: the superuser, the keyspaces with their tables, and the roles."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cassandra import AuthenticationFailed, DriverException
from cassandra.cluster import NoHostAvailable, Session

from posts.cluster import cluster
from posts.schema import (
    ALL_OWNED,
    MILESTONES,
    SPECULATIVE_RETRY,
    TABLES,
    Column,
    create_table,
)
from project.setup.waiting import Say, SetupFailed, wait_for

ADMIN = "lab_admin"
# Cassandra makes this role, with its name as its password, in a ring that has no roles.
DEFAULT_ADMIN = "cassandra"
SCHEMA_TIMEOUT = 30.0  # seconds

NOT_YET = (NoHostAvailable, DriverException)


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and what it may do in its keyspace."""

    name: str
    password: str
    keyspace: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    admin_password: str
    datacenter: str
    replication_factor: int
    keyspace: str
    roles: tuple[Role, ...]

    @property
    def replication(self) -> dict[str, str]:
        return {
            "class": "org.apache.cassandra.locator.NetworkTopologyStrategy",
            self.datacenter: str(self.replication_factor),
        }


def initialize(say: Say, wanted: Wanted) -> None:
    with administering(wanted, say) as session:
        drop_default_admin(session, say)
        for keyspace in dict.fromkeys([wanted.keyspace, *(role.keyspace for role in wanted.roles)]):
            keep_keyspace(session, keyspace, wanted.replication, say)
        new = keep_tables(session, wanted.keyspace, say)
        agree(session)
        if new:
            note_all_owned(session, wanted.keyspace)
        for role in wanted.roles:
            keep_role(session, role, say)


@contextmanager
def administering(wanted: Wanted, say: Say) -> Iterator[Session]:
    """A session of ADMIN, in a ring whose accounts are replicated.

    One where it can be: each costs a password's hash on every node.
    """

    def attempt() -> Session:
        return logged_in(ADMIN, wanted.admin_password) or opened(DEFAULT_ADMIN, DEFAULT_ADMIN)

    subject = f"Cassandra to accept {ADMIN} with the password in its file, or {DEFAULT_ADMIN}"
    session = wait_for(subject, attempt, errors=NOT_YET, say=say)
    try:
        wait_for_replicas(session, wanted.replication_factor, say)
        replicate_accounts(session, wanted.replication, say)
        if session.cluster.auth_provider.username != ADMIN:
            session = make_admin(session, wanted.admin_password, say)
        else:
            say(f"superuser {ADMIN}: was there")
        yield session
    finally:
        session.cluster.shutdown()


def make_admin(session: Session, password: str, say: Say) -> Session:
    """ADMIN's own session, instead of that which made it."""
    if not role_exists(session, ADMIN):
        options = f"PASSWORD = {quoted(password)} AND SUPERUSER = true AND LOGIN = true"
        define(session, f"CREATE ROLE {ADMIN} WITH {options}")
        say(f"superuser {ADMIN}: created")
    session.cluster.shutdown()
    return wait_for(
        f"Cassandra to accept {ADMIN}", lambda: opened(ADMIN, password), errors=NOT_YET, say=say
    )


def wait_for_replicas(session: Session, count: int, say: Say) -> None:
    def attempt() -> None:
        up = sorted(host.address for host in session.cluster.metadata.all_hosts() if host.is_up)
        if len(up) < count:
            raise DriverException(f"up: {', '.join(up)}")

    wait_for(f"{count} Cassandra nodes", attempt, errors=NOT_YET, say=say)


def replicate_accounts(session: Session, replication: dict[str, str], say: Say) -> None:
    # Before there is any account of ours: rows from before would have to be repaired.
    if replication_of(session, "system_auth") == replication:
        say("keyspace system_auth: was replicated")
        return
    define(session, f"ALTER KEYSPACE system_auth WITH replication = {replication}")
    agree(session)
    say("keyspace system_auth: replication set")


def drop_default_admin(session: Session, say: Say) -> None:
    """It stays away: a starting node makes it only if a quorum knows of no role at all."""
    if role_exists(session, DEFAULT_ADMIN):
        define(session, f"DROP ROLE {DEFAULT_ADMIN}")
        forget(session, DEFAULT_ADMIN)
        say(f"superuser {DEFAULT_ADMIN}: dropped")
    else:
        say(f"superuser {DEFAULT_ADMIN}: was gone")


def forget(session: Session, role: str) -> None:
    """Nodes remember for a minute whom they let in; a role that was dropped must not outlive it."""
    for host in session.cluster.metadata.all_hosts():
        for cache in ("credentials_cache_keys", "roles_cache_keys"):
            statement = f"DELETE FROM system_views.{cache} WHERE role = %s"  # noqa: S608
            if host.is_up:
                session.execute(statement, (role,), host=host)


def keep_keyspace(session: Session, name: str, replication: dict[str, str], say: Say) -> None:
    found = replication_of(session, name)
    if found is None:
        define(session, f"CREATE KEYSPACE {name} WITH replication = {replication}")
        say(f"keyspace {name}: created")
    elif found == replication:
        say(f"keyspace {name}: was there")
    else:
        raise SetupFailed(
            f"keyspace {name}: expected replication {replication}, found {found};"
            " ALTER KEYSPACE and a repair would change it"
        )


def keep_tables(session: Session, keyspace: str, say: Say) -> bool:
    """Whether there was none of them."""
    # Where this one is not there, no release has ever served.
    first = "posts"
    new = keep_table(session, keyspace, first, TABLES[first], say)
    for name, columns in (TABLES | MILESTONES).items():
        if name != first:
            keep_table(session, keyspace, name, columns, say)
    return new


def note_all_owned(session: Session, keyspace: str) -> None:
    """There are no posts that would have to be taken over."""
    statement = f"INSERT INTO {keyspace}.milestones (name) VALUES (%s)"  # noqa: S608
    session.execute(statement, (ALL_OWNED,))


def keep_table(
    session: Session, keyspace: str, name: str, columns: tuple[Column, ...], say: Say
) -> bool:
    """Whether it was not there."""
    query = (
        "SELECT column_name, type, kind, position, clustering_order FROM system_schema.columns"
        " WHERE keyspace_name = %s AND table_name = %s"
    )
    found = {Column(*row) for row in session.execute(query, (keyspace, name))}
    if not found:
        define(session, create_table(keyspace, name, columns))
        say(f"table {keyspace}.{name}: created")
        return True
    if found == set(columns):
        say(f"table {keyspace}.{name}: was there")
        keep_speculative_retry(session, keyspace, name, say)
        return False
    differing = ", ".join(sorted(column.name for column in found ^ set(columns)))
    raise SetupFailed(f"table {keyspace}.{name}: differs from posts/schema.py in: {differing}")


def keep_speculative_retry(session: Session, keyspace: str, table: str, say: Say) -> None:
    query = (
        "SELECT speculative_retry FROM system_schema.tables"
        " WHERE keyspace_name = %s AND table_name = %s"
    )
    found = session.execute(query, (keyspace, table)).one().speculative_retry
    if found != SPECULATIVE_RETRY:
        wanted = f"speculative_retry = '{SPECULATIVE_RETRY}'"
        define(session, f"ALTER TABLE {keyspace}.{table} WITH {wanted}")
        say(f"table {keyspace}.{table}: {wanted}, was '{found}'")


def keep_role(session: Session, role: Role, say: Say) -> None:
    options = f"PASSWORD = {quoted(role.password)} AND LOGIN = true"
    if not role_exists(session, role.name):
        define(session, f"CREATE ROLE {role.name} WITH {options}")
        say(f"role {role.name}: created")
    elif can_log_in(role.name, role.password):
        say(f"role {role.name}: was there")
    else:
        define(session, f"ALTER ROLE {role.name} WITH {options}")
        say(f"role {role.name}: password set to the file's")
    keep_permissions(session, role, say)


def keep_permissions(session: Session, role: Role, say: Say) -> None:
    query = "SELECT permissions FROM system_auth.role_permissions WHERE role = %s AND resource = %s"
    row = session.execute(query, (role.name, f"data/{role.keyspace}")).one()
    found = frozenset(row.permissions) if row else frozenset()
    for permission in sorted(role.permissions - found):
        define(session, f"GRANT {permission} ON KEYSPACE {role.keyspace} TO {role.name}")
        say(f"role {role.name}: {permission} on {role.keyspace} granted")
    for permission in sorted(found - role.permissions):
        define(session, f"REVOKE {permission} ON KEYSPACE {role.keyspace} FROM {role.name}")
        say(f"role {role.name}: {permission} on {role.keyspace} revoked")


def opened(user: str, password: str) -> Session:
    connection = cluster(user, password, request_timeout=SCHEMA_TIMEOUT)
    # Nodes learn of each other's schema by gossip, once a second: it is waited for once (agree).
    connection.max_schema_agreement_wait = 0
    try:
        return connection.connect(wait_for_all_pools=True)
    except BaseException:
        connection.shutdown()
        raise


def logged_in(user: str, password: str) -> Session | None:
    """None if the password is refused; raises if nobody could be asked."""
    try:
        return opened(user, password)
    except NoHostAvailable as error:
        if any(isinstance(cause, AuthenticationFailed) for cause in error.errors.values()):
            return None
        raise


def can_log_in(user: str, password: str) -> bool:
    session = logged_in(user, password)
    if session:
        session.cluster.shutdown()
    return session is not None


def define(session: Session, statement: str) -> None:
    """On the node that `agree` asks, which knows what was defined before."""
    session.execute(statement, host=session.cluster.get_control_connection_host())


def agree(session: Session) -> None:
    """Returns once all nodes have the same schema."""
    try:
        session.cluster.refresh_schema_metadata(max_schema_agreement_wait=SCHEMA_TIMEOUT)
    except DriverException as error:
        raise SetupFailed(
            f"the nodes did not agree on the schema within {SCHEMA_TIMEOUT:.0f} s: {error}"
        ) from error


def replication_of(session: Session, keyspace: str) -> dict[str, str] | None:
    query = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
    row = session.execute(query, (keyspace,)).one()
    return dict(row.replication) if row else None


def role_exists(session: Session, name: str) -> bool:
    query = "SELECT role FROM system_auth.roles WHERE role = %s"
    return session.execute(query, (name,)).one() is not None


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
