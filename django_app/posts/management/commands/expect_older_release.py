"""Prepares for an older release, which knows accounts by name only, to serve beside this one."""

from django.core.management.base import BaseCommand

from posts import by_name, store
from posts.taking_over import SLOW


class Command(BaseCommand):
    help = "Has pages look for posts that an older release writes, until `own_posts` is run."
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        session = store.connect(SLOW)
        try:
            by_name.expect_older_release(session)
        finally:
            session.session.cluster.shutdown()
