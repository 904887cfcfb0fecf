"""Prints what the posts' tables hold, as digests: a backup is compared with it."""

from cassandra.query import SimpleStatement
from django.conf import settings
from django.core.management.base import BaseCommand

from posts.cluster import cluster
from posts.digests import digest
from posts.schema import TABLES

PAGE_ROWS = 500
# Seconds for one page of a table: longer than the servers take before they give up.
PAGE_TIMEOUT = 10.0
COLUMNS = (
    "SELECT table_name, column_name, type, kind, position, clustering_order"
    " FROM system_schema.columns WHERE keyspace_name = %s"
)


class Command(BaseCommand):
    help = "Prints each column and a digest of each row of the posts' tables, and how many rows."
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        keyspace = settings.CASSANDRA_KEYSPACE
        connection = cluster(
            settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD, request_timeout=PAGE_TIMEOUT
        )
        try:
            session = connection.connect(keyspace)
            for row in session.execute(COLUMNS, (keyspace,)):
                if row.table_name in TABLES:
                    self.stdout.write("column " + " ".join(map(str, row)))
            rows = 0
            for table, columns in TABLES.items():
                names = ", ".join(column.name for column in columns)
                query = SimpleStatement(
                    f"SELECT {names} FROM {table}",  # noqa: S608
                    fetch_size=PAGE_ROWS,
                    # Sent once: of one that is sent twice a late page may be taken for the next.
                    is_idempotent=False,
                )
                for row in session.execute(query):
                    self.stdout.write(f"row {table} {digest(row)}")
                    rows += 1
            self.stdout.write(f"end {rows} rows")
        finally:
            connection.shutdown()
