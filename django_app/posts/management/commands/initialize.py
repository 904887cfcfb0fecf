"""Brings MySQL and Cassandra to the state that the application needs; may be run again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from posts import by_name, removal, store
from posts.taking_over import SLOW, ids_by_name, told
from project.environment import Environment
from project.setup import cassandra, mysql
from project.setup.waiting import Say

READ_AND_WRITE = frozenset({"SELECT", "MODIFY"})
EVERYTHING = READ_AND_WRITE | {"CREATE", "ALTER", "DROP"}


class Command(BaseCommand):
    help = "Creates the database, its tables and the administrator; the keyspaces and the roles."
    requires_system_checks = []  # the database check would ask for what is not there yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", choices=("mysql", "cassandra"), help="one of the two alone")
        parser.add_argument(
            "--reset-password", action="store_true", help="give admin the password of its file"
        )

    def handle(
        self,
        *args: object,
        only: str | None = None,
        reset_password: bool = False,
        **options: object,
    ) -> None:
        with Environment() as env:
            passwords = mysql.Passwords(
                admin=env.secret("APP_ADMIN_PASSWORD_FILE", "/run/secrets/django_admin_password"),
                probe=env.secret("APP_PROBE_PASSWORD_FILE", "/run/secrets/django_probe_password"),
                reset_admin=reset_password,
            )
            wanted = wanted_in_cassandra(env)
        halves: dict[str, Callable[[Say], None]] = {
            "mysql": partial(mysql.initialize, passwords=passwords),
            "cassandra": partial(cassandra.initialize, wanted=wanted),
        }
        failures = self.run_together({only: halves[only]} if only else halves)
        if failures:
            raise CommandError("; ".join(failures))
        if not only:
            self.take_over(self.say("posts"))

    def take_over(self, say: Say) -> None:
        """Before the first Django of this release serves."""
        session = store.connect(SLOW)
        try:
            if by_name.all_owned(session):
                say("all were taken over")
            else:
                removal.work_off()
                say(f"{told(by_name.take_over(session, ids_by_name))}, older releases may serve")
            for name, posts in sorted(by_name.nobodys(session).items()):
                say(f"of {name!r}, which was no account's name: {posts}, nobody's")
        finally:
            session.session.cluster.shutdown()

    def run_together(self, halves: dict[str, Callable[[Say], None]]) -> list[str]:
        with ThreadPoolExecutor() as pool:
            futures = {name: pool.submit(half, self.say(name)) for name, half in halves.items()}
        return [
            f"{name}: {type(error).__name__}: {error}"
            for name, future in futures.items()
            if (error := future.exception())
        ]

    def say(self, half: str) -> Say:
        return lambda line: self.stdout.write(f"{half}: {line}")


def wanted_in_cassandra(env: Environment) -> cassandra.Wanted:
    test_password = env.secret(
        "APP_CASSANDRA_TEST_PASSWORD_FILE", "/run/secrets/cassandra_test_password"
    )
    keyspace = settings.CASSANDRA_KEYSPACE
    return cassandra.Wanted(
        admin_password=env.secret(
            "APP_CASSANDRA_ADMIN_PASSWORD_FILE", "/run/secrets/cassandra_admin_password"
        ),
        datacenter=settings.CASSANDRA_DATACENTER,
        replication_factor=env.number("APP_CASSANDRA_REPLICATION_FACTOR", 3),
        keyspace=keyspace,
        roles=(
            cassandra.Role(
                settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD, keyspace, READ_AND_WRITE
            ),
            cassandra.Role("django_test", test_password, f"test_{keyspace}", EVERYTHING),
        ),
    )
