"""Removes all posts, so that those of a backup take their place."""

from django.conf import settings
from django.core.management.base import BaseCommand

from posts.cluster import cluster
from posts.schema import MILESTONES, TABLES

# Seconds: every node has to do it.
TRUNCATE_TIMEOUT = 60.0


class Command(BaseCommand):
    help = "Removes every row of the posts' tables."
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        connection = cluster(
            settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD, request_timeout=TRUNCATE_TIMEOUT
        )
        try:
            session = connection.connect(settings.CASSANDRA_KEYSPACE)
            # First what was reached, which holds no longer.
            for table in MILESTONES | TABLES:
                session.execute(f"TRUNCATE {table}")
        finally:
            connection.shutdown()
