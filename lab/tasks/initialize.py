"""Makes the databases ready for Django: accounts, schema, administrator, keyspace."""

from __future__ import annotations

from lab.containers import Container, File, Mount
from lab.docker import one_off
from lab.modes import web
from lab.progress import say
from lab.releases import Release
from lab.site import USERS
from lab.tasks.context import Lab

FOLDER = "/etc/lab/secrets/initialize"
SECRETS = (
    "django_secret_key",
    "django_admin_password",
    "mysql_migrate_password",
    "cassandra_admin_password",
    "cassandra_django_password",
    "cassandra_test_password",
)


def initialize(lab: Lab, release: Release) -> None:
    """Runs Django's `initialize` once, on the builder, with the secrets only it may see."""
    site = lab.site(release)
    node = lab.builder
    files = tuple(
        File(f"{FOLDER}/{name}", lab.secrets[name], 0o600, USERS["django"], secret=True)
        for name in SECRETS
    )
    container = Container(
        name="initialize",
        service="initialize",
        image=site.images["webapp_django"],
        limit=lab.topology.limits.django,
        environment=(
            *web.django_environment(site, node.name, "initialize"),
            ("APP_MYSQL_USER", "django_migrate"),
            ("APP_MYSQL_PASSWORD_FILE", "/run/secrets/mysql_migrate_password"),
        ),
        mounts=(Mount(FOLDER, "/run/secrets"),),
        command=("python", "manage.py", "initialize"),
    )
    node.put(files)
    try:
        for line in node.run(*one_off(container)).splitlines():
            say("lab", line)
    finally:
        node.run("rm", "-r", FOLDER)
