"""Faults of MySQL, of Cassandra and of what lies in them, as faults.py has them."""

from contextlib import contextmanager

from lab.drills.faults import Target, faults
from lab.secrets.secrets import SECRETS
from tests.conftest import TOPOLOGY
from tests.live.support import replicas
from tests.live.support.faults import at
from tests.nodes.conftest import ssh

# Nobody's, of the same form as the lab's own.
WRONG = "x" * 32


def primary(lab):
    for name in TOPOLOGY.settings.mysql:
        if sql(lab, name, "SELECT @@super_read_only").strip() == "0":
            return name
    raise AssertionError("there is no primary")


def at_primary(make):
    return at(primary, TOPOLOGY.settings.mysql, make)


def sql(lab, node, statement):
    client = ("docker", "exec", "mysql", "mysql", "-uroot", "--batch", "--skip-column-names")
    return lab.nodes[node].run(*client, "--execute", statement)


def apart(lab):
    """The MySQL servers that don't see all of them in the group. One that was frozen takes itself
    for a member until it hears that the others have gone on without it."""
    servers = TOPOLOGY.settings.mysql
    members = "SELECT COUNT(*) FROM performance_schema.replication_group_members"
    query = f"{members} WHERE member_state = 'ONLINE'"
    return [name for name in servers if sql(lab, name, query).strip() != str(len(servers))]


@contextmanager
def lagging(lab):
    """The replicas apply nothing, and something was written."""
    server = primary(lab)
    first, second = (name for name in TOPOLOGY.settings.mysql if name != server)
    row = "('written by a test', '', '2000-01-01')"
    with replicas.frozen(lab):
        sql(lab, server, f"INSERT INTO djangodb.django_session VALUES {row}")  # noqa: S608
        try:
            yield {"found": first, "other": second}
        finally:
            away = "DELETE FROM djangodb.django_session WHERE session_key = 'written by a test'"
            sql(lab, server, away)


SMALL_DISK_FAULT = faults(())["mysql-replica-disk-full"]


@contextmanager
def small_disk(lab, node):
    """A server on a small disk, as drills have it; yields the Target."""
    target = Target(node, "mysql")
    try:
        _run(lab, SMALL_DISK_FAULT.prepare(target))
        yield target
    finally:
        _run(lab, SMALL_DISK_FAULT.restore(target))


def disk_full(node):
    @contextmanager
    def act(lab):
        with small_disk(lab, node) as target:
            _run(lab, SMALL_DISK_FAULT.do(target))
            try:
                yield {}
            finally:
                _run(lab, SMALL_DISK_FAULT.undo(target))

    return act


def _run(lab, commands):
    for command in commands:
        lab.nodes[command.node].run(*command.argv)


@contextmanager
def table_missing(lab):
    table, away = "djangodb.django_session", "djangodb.django_session_away"
    server = primary(lab)
    sql(lab, server, f"RENAME TABLE {table} TO {away}")
    try:
        yield {}
    finally:
        sql(lab, primary(lab), f"RENAME TABLE {away} TO {table}")


@contextmanager
def mysql_password_changed(lab):
    """The right one goes back through standard input."""
    server = lab.nodes[primary(lab)]
    client = "sudo docker exec -i mysql mysql -uroot"
    alter = "ALTER USER django IDENTIFIED BY '{}';\n"
    ssh(server.name, client, alter.format(WRONG))
    try:
        yield {}
    finally:
        secret = (SECRETS / "mysql_django_password").read_text()
        ssh(server.name, client, alter.format(secret))


AS_ADMINISTRATOR = """
from cassandra.cluster import NoHostAvailable
from posts.cluster import cluster
from project.setup.waiting import wait_for
ring = cluster("lab_admin", {password!r}, request_timeout=30)
session = ring.connect(wait_for_all_pools=True)
# A role's password can be changed every five seconds, no sooner.
wait_for("Cassandra", lambda: session.execute({statement!r}), errors=(NoHostAvailable,), say=print)
# Nodes remember whom they let in, and what they may do, for a minute.
for host in ring.metadata.all_hosts():
    for cache in {caches}:
        keys = session.execute("SELECT * FROM system_views." + cache, host=host).all()
        for key in (key for key in keys if key.role == "django"):
            where = " AND ".join(name + " = %s" for name in key._fields)
            session.execute("DELETE FROM system_views." + cache + " WHERE " + where, key, host=host)
ring.shutdown()
"""


def cql(statement):
    """Run by the administrator, whose password goes through standard input."""
    caches = ("credentials_cache_keys", "roles_cache_keys", "permissions_cache_keys")
    password = (SECRETS / "cassandra_admin_password").read_text()
    program = AS_ADMINISTRATOR.format(password=password, statement=statement, caches=caches)
    found = "$(sudo docker ps --quiet --filter label=lab.service=django | head -n 1)"
    shell = f"sudo docker exec -i {found} python manage.py shell --no-imports"
    ssh(TOPOLOGY.web[0].django, shell, program)


def by_cql(do, undo):
    """undo: may hold the name of a secret, as {name}."""

    @contextmanager
    def act(lab):
        cql(do)
        try:
            yield {}
        finally:
            cql(undo.format(**{path.name: path.read_text() for path in SECRETS.iterdir()}))

    return act
