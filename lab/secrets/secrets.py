"""The lab's secrets: made once per lab, kept below .lab/secrets, readable by their owner alone.

Hands out values; where they go is the plans' matter (as files, never in an environment, a command
line or a log).
"""

from __future__ import annotations

import secrets
import string
from pathlib import Path

from lab.config.paths import FOLDER
from lab.config.topology import Topology
from lab.errors import LabError
from lab.secrets import authority
from lab.secrets.private import write

SECRETS = FOLDER / ".lab" / "secrets"
ALPHABET = string.ascii_letters + string.digits
# Characters: as many as MySQL takes for a replication password; Django asks for more for its key.
LENGTH = 32
LONG = {"django_secret_key": 64}

GENERATED = (
    "django_secret_key",
    "django_admin_password",
    "django_probe_password",
    "mysql_django_password",
    "mysql_migrate_password",
    "mysql_test_password",
    "mysql_replication_password",
    "cassandra_admin_password",
    "cassandra_django_password",
    "cassandra_test_password",
    "haproxy_stats_password",
)


def load(topology: Topology) -> dict[str, str]:
    """Every secret by name; those that are missing are made first."""
    SECRETS.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {name: _generated(SECRETS / name) for name in GENERATED}
    values |= authority.registry_certificate(topology)
    return values | {"registry_ca.crt": _registry_authority(topology, values["ca.crt"])}


def _registry_authority(topology: Topology, own: str) -> str:
    """What the registry in use is trusted by; empty: the machine's own authorities do."""
    other = topology.settings.registry
    if other is None:
        return own
    if other.ca is None:
        return ""
    try:
        return (FOLDER / other.ca).read_text()
    except OSError as error:
        raise LabError(
            f"lab.yml: registry.ca: {other.ca!r} should be a certificate file: {error.strerror}"
        ) from None


def _generated(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        value = "".join(secrets.choice(ALPHABET) for _ in range(LONG.get(path.name, LENGTH)))
        write(path, value)
        return value
