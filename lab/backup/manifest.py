"""A backup's name, the names of its files, and its manifest. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime

from pydantic import ValidationError

from lab.config.topology import Record
from lab.errors import LabError

# Of the layout of the folder and of the manifest: another one is not guessed at.
FORMAT = 1
MANIFEST, DUMP = "manifest.json", "mysql.sql.gz"
# Digests of the posts' rows, read from the ring before the snapshot and after it.
BEFORE, AFTER = "posts-before.gz", "posts-after.gz"
NAME = re.compile(r"\d{8}-\d{6}")


class StoredFile(Record):
    bytes: int
    sha256: str


class Table(Record):
    """digest: of the rows, whatever their order (lab/backup/dump.py)."""

    rows: int
    digest: str


class Manifest(Record):
    """What a backup holds, and what it was made of.

    time: ISO 8601, UTC; release: the one that was live; gtid_executed: what the dumped server had
    executed at least; definitions: digest of MySQL's tables without rows; migrations: Django's that
    were applied, as app.name; columns: of the posts' tables; posts: rows of each of them that were
    there before the snapshot.
    """

    format: int
    name: str
    time: str
    lab: str
    release: str
    gtid_executed: str
    definitions: str
    tables: dict[str, Table]
    migrations: tuple[str, ...]
    columns: tuple[str, ...]
    posts: dict[str, int]
    files: dict[str, StoredFile]

    @property
    def snapshots(self) -> dict[str, str]:
        """Cassandra node to the file that holds its tables."""
        names = (SNAPSHOT.fullmatch(name) for name in self.files)
        return {match[1]: match[0] for match in names if match}

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.bytes for file in self.files.values())


SNAPSHOT = re.compile(r"cassandra-([a-z][a-z0-9-]*)\.tar")


def snapshot_file(node: str) -> str:
    return f"cassandra-{node}.tar"


def name_at(moment: datetime) -> str:
    """moment: UTC."""
    return f"{moment:%Y%m%d-%H%M%S}"


def parse(name: str, text: str) -> Manifest:
    """Raises LabError if it is no manifest of the backup with this name."""
    try:
        document = json.loads(text)
        version = document["format"]
    except (ValueError, TypeError, KeyError):
        raise refused(name, f"{MANIFEST} is damaged") from None
    if version != FORMAT:
        raise refused(name, f"its format is {version!r}, and this project reads {FORMAT}")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise refused(name, f"{MANIFEST} is damaged at {where}") from None
    if manifest.name != name:
        raise refused(name, f"its manifest is that of {manifest.name!r}")
    return manifest


def refused(name: str, why: str) -> LabError:
    return LabError(f"backup {name}: {why}: nothing was done; others: `fab backups`")


def unknown_migrations(manifest: Manifest, known: Iterable[str]) -> tuple[str, ...]:
    """Those that were applied to the backup, and that a release with the known ones has not."""
    return tuple(sorted(set(manifest.migrations) - set(known)))
