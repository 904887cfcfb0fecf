"""The MySQL half: the database, its tables, and the administrator."""

from collections.abc import Iterator
from contextlib import contextmanager

import MySQLdb
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from project.causal import PRIMARY
from project.setup.waiting import LIMIT, Say, SetupFailed, wait_for

CHARSET = "utf8mb4"
COLLATION = "utf8mb4_0900_ai_ci"
ADMINISTRATOR = "admin"


def initialize(say: Say, admin_password: str) -> None:
    server = wait_for("MySQL's primary", primary, errors=(MySQLdb.Error, NotWritable), say=say)
    try:
        create_database(server, say)
    finally:
        server.close()
    try:
        migrate(say)
        keep_administrator(admin_password, say)
    finally:
        connections[PRIMARY].close()


class NotWritable(Exception):
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


def create_database(server: MySQLdb.Connection, say: Say) -> None:
    name = connections[PRIMARY].settings_dict["NAME"]
    cursor = server.cursor()
    cursor.execute(
        "SELECT default_character_set_name, default_collation_name"
        " FROM information_schema.schemata WHERE schema_name = %s",
        [name],
    )
    found = cursor.fetchone()
    if found is None:
        quoted = connections[PRIMARY].ops.quote_name(name)
        cursor.execute(f"CREATE DATABASE {quoted} CHARACTER SET {CHARSET} COLLATE {COLLATION}")
        say(f"database {name}: created")
    elif found == (CHARSET, COLLATION):
        say(f"database {name}: was there")
    else:
        raise SetupFailed(f"database {name}: expected {CHARSET}, {COLLATION}, found {found}")


def migrate(say: Say) -> None:
    executor = MigrationExecutor(connections[PRIMARY])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        say("migrations: all were applied")
        return
    with alone():
        call_command("migrate", database=PRIMARY, interactive=False, verbosity=0)
    say(f"migrations: {len(plan)} applied")


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else migrates meanwhile: what a killed task began may still run."""
    with connections[PRIMARY].cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('migrate', %s)", [LIMIT])
        if cursor.fetchone() != (1,):
            raise SetupFailed(f"migrations: another one runs for more than {LIMIT:.0f} s")
        try:
            yield
        finally:
            cursor.execute("SELECT RELEASE_LOCK('migrate')")


def keep_administrator(password: str, say: Say) -> None:
    users = get_user_model().objects.db_manager(PRIMARY)
    administrator = users.filter(username=ADMINISTRATOR).first()
    if administrator is None:
        users.create_superuser(ADMINISTRATOR, password=password)
        say(f"administrator {ADMINISTRATOR}: created")
    elif administrator.check_password(password):
        say(f"administrator {ADMINISTRATOR}: was there")
    else:
        administrator.set_password(password)
        administrator.save(using=PRIMARY, update_fields=["password"])
        say(f"administrator {ADMINISTRATOR}: password set to the file's")
