"""Django's runner makes and drops the test database; this one adds the tables in Cassandra."""

from django.conf import settings
from django.test.runner import DiscoverRunner

from posts import store
from posts.cluster import cluster
from posts.schema import ALL_OWNED, MILESTONES, TABLES, create_table

SCHEMA_TIMEOUT = 30.0  # seconds


class LabRunner(DiscoverRunner):
    def setup_databases(self, **kwargs: object) -> object:
        if not settings.CASSANDRA_KEYSPACE.startswith("test_"):
            raise SystemExit(
                f"APP_CASSANDRA_KEYSPACE is {settings.CASSANDRA_KEYSPACE}; the tests drop its"
                " tables, so its name must begin with test_"
            )
        make_tables()
        return super().setup_databases(**kwargs)

    def teardown_databases(self, *args: object, **kwargs: object) -> None:
        store.disconnect()
        super().teardown_databases(*args, **kwargs)


def make_tables() -> None:
    """Dropped rather than truncated: they may be of an older form."""
    connection = cluster(
        settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD, request_timeout=SCHEMA_TIMEOUT
    )
    try:
        session = connection.connect(settings.CASSANDRA_KEYSPACE)
        for name, columns in (TABLES | MILESTONES).items():
            session.execute(f"DROP TABLE IF EXISTS {name}")
            session.execute(create_table(settings.CASSANDRA_KEYSPACE, name, columns))
        session.execute("INSERT INTO milestones (name) VALUES (%s)", (ALL_OWNED,))
    finally:
        connection.shutdown()
