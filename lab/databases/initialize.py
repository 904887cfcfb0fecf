"""Makes the databases ready for Django: accounts, schema, administrator, keyspace."""

from __future__ import annotations

import hashlib
import re

from lab.context import Lab
from lab.databases import owners
from lab.databases.once import run_django
from lab.engine.progress import say
from lab.errors import LabError
from lab.plan.records import File
from lab.release.releases import Release

SECRETS = (
    "django_secret_key",
    "django_admin_password",
    "django_probe_password",
    "mysql_migrate_password",
    "cassandra_admin_password",
    "cassandra_django_password",
    "cassandra_test_password",
)

AS_MIGRATE = (
    ("APP_MYSQL_USER", "django_migrate"),
    ("APP_MYSQL_PASSWORD_FILE", "/run/secrets/mysql_migrate_password"),
)

# On the builder: what the databases were brought to, as a digest.
INITIALIZED = "/var/lib/lab/initialized"

# How it says that something is already as it should be.
UNCHANGED = re.compile(r": (all )?(was|were) ")


def initialize(
    lab: Lab, release: Release, *, only_news: bool = False, reset_password: bool = False
) -> None:
    """Runs Django's `initialize` (django_app/posts/management), which may be run again.

    only_news: tells what was changed and no more; reset_password: gives the administrator the
    password of its file.
    """
    options = ("--reset-password",) if reset_password else ()
    status, output = run_django(
        lab, release, "initialize", *options, secrets=SECRETS, environment=AS_MIGRATE
    )
    lines = output.splitlines()
    if status != 0:
        raise LabError("initialize failed; its end:\n" + "\n".join(lines[-12:]))
    owners.learn(lab, lines)
    lab.builder.put([File(INITIALIZED, _brought_to(lab, release), mode=0o600)])
    for line in lines:
        if not (only_news and UNCHANGED.search(line)):
            say("lab", line)


def initialized(lab: Lab, release: Release) -> bool:
    """Whether the last `initialize` that ended well was that of the release's Django, with the
    secrets of now."""
    status, noted, _ = lab.builder.attempt("cat", INITIALIZED)
    return status == 0 and noted == _brought_to(lab, release)


def _brought_to(lab: Lab, release: Release) -> str:
    parts = (release.tags["webapp_django"], *(lab.secrets[name] for name in SECRETS))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() + "\n"
