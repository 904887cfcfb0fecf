"""What every plan is made from: the topology, the images' full names and the secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.config.topology import Topology
from lab.plan.records import File

# Users inside the images (images/*/Dockerfile): a secret's file belongs to who reads it.
USERS = {
    "django": 10001,
    "nginx": 10002,
    "mysql": 10003,
    "cassandra": 10004,
    "haproxy": 10005,
    "registry": 10006,
}


@dataclass(frozen=True, slots=True)
class Site:
    """images: image name to REGISTRY/NAME:TAG; secrets: name to value; release: its name."""

    topology: Topology
    images: Mapping[str, str]
    secrets: Mapping[str, str]
    release: str

    def secret_files(self, owner: str, *names: str) -> tuple[File, ...]:
        """The secrets that a program reads, as files of the node below secrets_folder(owner)."""
        return tuple(
            File(
                f"{secrets_folder(owner)}/{name}",
                self.secrets[name],
                mode=0o600,
                owner=USERS[owner],
                secret=True,
            )
            for name in names
        )


def secrets_folder(owner: str) -> str:
    return f"/etc/lab/secrets/{owner}"


def volume_folder(service: str) -> str:
    """Where a database's volume (lab/plan/programs.py) lies on its node."""
    return f"/var/lib/docker/volumes/{service}_data/_data"
