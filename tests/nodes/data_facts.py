"""What the data tier says of itself to a Django container; run inside one, through manage.py shell.

Prints one JSON object. Uses the application's own settings, accounts and drivers, so it sees what
the application sees.
"""

import json

from cassandra import AuthenticationFailed, Unauthorized
from cassandra.cluster import NoHostAvailable
from django.conf import settings
from django.db import connections
from posts.cluster import cluster


def mysql(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT @@report_host, @@super_read_only, @@version")
        host, read_only, version = cursor.fetchone()
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        return {
            "host": host,
            "read_only": bool(read_only),
            "version": version,
            "encrypted": bool(cursor.fetchone()[1]),
        }


def cassandra():
    ring = cluster(settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD)
    session = ring.connect(wait_for_all_pools=True)
    keyspaces = ring.metadata.keyspaces
    facts = {
        "asked": settings.CASSANDRA_NODES,
        "found": sorted(host.address for host in ring.metadata.all_hosts()),
        "versions": sorted({host.release_version for host in ring.metadata.all_hosts()}),
        "replication": {
            name: keyspaces[name].replication_strategy.export_for_schema()
            for name in ("system_auth", settings.CASSANDRA_KEYSPACE)
        },
        "speculative_retry": {
            name: table.options["speculative_retry"]
            for name, table in keyspaces[settings.CASSANDRA_KEYSPACE].tables.items()
        },
        "refused": refused(session),
        "commitlog_sync": running_setting("commitlog_sync"),
        "default_superuser": login("cassandra", "cassandra"),
    }
    ring.shutdown()
    return facts


def running_setting(name):
    """Of each node as it runs, by address; only the administrator may ask. ADMINISTRATOR is put
    before this program by who sends it."""
    ring = cluster(*ADMINISTRATOR)  # noqa: F821
    session = ring.connect(wait_for_all_pools=True)
    query = "SELECT value FROM system_views.settings WHERE name = %s"
    values = {
        host.address: session.execute(query, (name,), host=host).one().value
        for host in ring.metadata.all_hosts()
    }
    ring.shutdown()
    return values


def refused(session):
    """What the application's role may not do."""
    statements = (
        f"CREATE TABLE {settings.CASSANDRA_KEYSPACE}.forbidden (a int PRIMARY KEY)",
        f"DROP TABLE {settings.CASSANDRA_KEYSPACE}.forbidden",
        "CREATE ROLE forbidden",
        "SELECT * FROM system_auth.roles",
    )
    return [statement for statement in statements if unauthorized(session, statement)]


def unauthorized(session, statement):
    """Any other failure, a time-out say, is none of the refusals that are asked for."""
    try:
        session.execute(statement)
    except Unauthorized:
        return True
    return False


def login(user, password):
    ring = cluster(user, password)
    try:
        ring.connect()
    except NoHostAvailable as error:
        causes = error.errors.values()
        refused = causes and all(isinstance(cause, AuthenticationFailed) for cause in causes)
        return "refused" if refused else repr(error)
    finally:
        ring.shutdown()
    return "accepted"


print(
    json.dumps(
        {
            "default": mysql("default"),
            "read_only": mysql("read_only"),
            "cassandra": cassandra(),
        }
    )
)
