"""Prints the migrations that these sources have: a backup with others can't be restored."""

from django.core.management.base import BaseCommand
from django.db.migrations.loader import MigrationLoader


class Command(BaseCommand):
    help = "Prints each migration that these sources have, as APP.NAME, applied or not."
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        for app, name in sorted(MigrationLoader(None).disk_migrations):
            self.stdout.write(f"{app}.{name}")
