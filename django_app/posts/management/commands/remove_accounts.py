"""Removes accounts with their sessions and posts, as a drill does with those that it made."""

from datetime import timedelta

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError, CommandParser

from posts import removal


class Command(BaseCommand):
    help = "Removes each account whose name begins so, with its sessions and its posts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="what their names begin with, such as drill-")

    def handle(self, *args: object, prefix: str, **options: object) -> None:
        if not prefix:
            raise CommandError("the prefix is empty: that would be everybody")
        everybody = get_user_model().objects
        users = list(everybody.filter(username__startswith=prefix, is_superuser=False))
        identities = {str(user.pk) for user in users}
        for session in Session.objects.all():
            if session.get_decoded().get("_auth_user_id") in identities:
                session.delete()
        everybody.filter(pk__in=identities).delete()
        LogEntry.objects.filter(object_repr__startswith=prefix).delete()
        removal.work_off(timedelta())
        self.stdout.write(f"{len(identities)} accounts removed")
