"""The MySQL half: the database, its tables, and the administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import MySQLdb
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from project.causal import PRIMARY
from project.setup.waiting import Say, SetupFailed, wait_for

CHARSET = "utf8mb4"
COLLATION = "utf8mb4_0900_ai_ci"
# A table that is there until the first migrations are done.
BEGUN = "first_migrations_begun"
# Less than what a connection waits for an answer.
LOCK_SECONDS = 5
ADMINISTRATOR = "admin"
# Whom the lab signs in as when it looks whether a web server serves. Nobody else does.
PROBE = "lab-probe"


@dataclass(frozen=True, slots=True)
class Passwords:
    """reset_admin: whether what ADMINISTRATOR has chosen since is replaced, too."""

    admin: str
    probe: str
    reset_admin: bool


def initialize(say: Say, passwords: Passwords) -> None:
    server = wait_for("MySQL's primary", primary, errors=(MySQLdb.Error, NotWritable), say=say)
    try:
        with alone(server, say):
            begun = create_database(server, say)
            migrate(say)
            if begun:
                server.cursor().execute(f"DROP TABLE {database()}.{BEGUN}")
        keep_administrator(passwords, say)
        keep_probe(passwords.probe, say)
    finally:
        server.close()
        connections[PRIMARY].close()


class NotWritable(Exception):
    pass


class Busy(Exception):
    pass


def primary() -> MySQLdb.Connection:
    """A connection without a database, which may not exist yet, to a server that takes writes."""
    parameters = connections[PRIMARY].get_connection_params()
    del parameters["database"]
    server = MySQLdb.connect(**parameters, autocommit=True)
    cursor = server.cursor()
    cursor.execute("SELECT @@global.super_read_only")
    if cursor.fetchone() != (0,):
        server.close()
        raise NotWritable("it is read-only")
    return server


def database() -> str:
    """The name of Django's database, quoted."""
    return connections[PRIMARY].ops.quote_name(connections[PRIMARY].settings_dict["NAME"])


def create_database(server: MySQLdb.Connection, say: Say) -> bool:
    """Whether its first migrations have begun, which is noted in it."""
    name = connections[PRIMARY].settings_dict["NAME"]
    cursor = server.cursor()
    cursor.execute(
        "SELECT default_character_set_name, default_collation_name"
        " FROM information_schema.schemata WHERE schema_name = %s",
        [name],
    )
    found = cursor.fetchone()
    if found not in (None, (CHARSET, COLLATION)):
        raise SetupFailed(f"database {name}: expected {CHARSET}, {COLLATION}, found {found}")
    cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [name]
    )
    tables = {table for (table,) in cursor.fetchall()}
    if BEGUN in tables:
        # MySQL undoes no part of a migration, and Django goes on from none. Nobody has been served.
        cursor.execute(f"DROP DATABASE {database()}")
        say(f"database {name}: its first migrations were cut off: dropped")
        found, tables = None, set()
    if found:
        say(f"database {name}: was there")
    else:
        cursor.execute(f"CREATE DATABASE {database()} CHARACTER SET {CHARSET} COLLATE {COLLATION}")
        say(f"database {name}: created")
    if not tables:
        cursor.execute(f"CREATE TABLE {database()}.{BEGUN} (id INT PRIMARY KEY)")
    return not tables


def migrate(say: Say) -> None:
    executor = MigrationExecutor(connections[PRIMARY])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        say("migrations: all were applied")
        return
    call_command("migrate", database=PRIMARY, interactive=False, verbosity=0)
    say(f"migrations: {len(plan)} applied")


@contextmanager
def alone(server: MySQLdb.Connection, say: Say) -> Iterator[None]:
    """Nobody else migrates meanwhile: what a killed task began may still run."""
    cursor = server.cursor()

    def attempt() -> None:
        cursor.execute("SELECT GET_LOCK('migrate', %s)", [LOCK_SECONDS])
        if cursor.fetchone() != (1,):
            raise Busy("they go on")

    wait_for("other migrations to end", attempt, errors=(Busy,), say=say)
    try:
        yield
    finally:
        cursor.execute("SELECT RELEASE_LOCK('migrate')")


def keep_administrator(passwords: Passwords, say: Say) -> None:
    """What its owner has made of it since stays: its password, its name, another one instead."""
    users = get_user_model().objects.db_manager(PRIMARY)
    administrator = users.filter(username=ADMINISTRATOR).first()
    if passwords.reset_admin and administrator:
        administrator.set_password(passwords.admin)
        administrator.is_active = administrator.is_staff = administrator.is_superuser = True
        administrator.save(using=PRIMARY)
        say(f"administrator {ADMINISTRATOR}: password set to the file's")
    elif administrator or (users.filter(is_superuser=True).exists() and not passwords.reset_admin):
        say(f"administrator {ADMINISTRATOR}: was there")
    else:
        users.create_superuser(ADMINISTRATOR, password=passwords.admin)
        say(f"administrator {ADMINISTRATOR}: created")


def keep_probe(password: str, say: Say) -> None:
    """An account without rights, and with the password of the lab's file."""
    users = get_user_model().objects.db_manager(PRIMARY)
    probe, created = users.get_or_create(username=PROBE)
    rights = probe.is_staff or probe.is_superuser
    if not created and probe.is_active and not rights and probe.check_password(password):
        say(f"account {PROBE}: was there")
        return
    probe.set_password(password)
    probe.is_active, probe.is_staff, probe.is_superuser = True, False, False
    probe.save(using=PRIMARY)
    say(f"account {PROBE}: {'created' if created else 'as it has to be again'}")
