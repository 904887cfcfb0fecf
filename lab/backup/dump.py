"""Reads what mysqldump writes with one row a line: counts and digests of each table. Pure.

The same reader looks at the dump that a backup keeps and at that of a server into which it was
restored: equal answers mean equal rows. A table's digest is the sum of its lines' SHA-256, so that
the order of rows does not matter.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lab.backup.manifest import Table
from lab.errors import LabError

INSERT = re.compile(rb"INSERT INTO `([^`]+)` VALUES ")
MIGRATION = re.compile(rb"INSERT INTO `django_migrations` VALUES \(\d+,'([^']*)','([^']*)',")
END = b"-- Dump completed"
MODULUS = 2**256
# Bytes of rows between two commits: far below what the group takes in one transaction (143 MB).
COMMIT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dump:
    """definitions: digest of all lines that are neither rows nor comments."""

    tables: dict[str, Table]
    definitions: str
    migrations: tuple[str, ...]


class DumpReader:
    """Takes a dump as it comes, in parts of any size."""

    def __init__(self) -> None:
        self._rest = self._last = b""
        self._rows: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()
        self._definitions = hashlib.sha256()
        self._migrations: list[str] = []

    def feed(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._read(line)

    def finish(self) -> Dump:
        """Raises LabError if the dump was cut off."""
        if self._rest or not self._last.startswith(END):
            raise LabError("mysqldump: its last line is missing, so it was cut off: try again")
        tables = {
            name: Table(rows=self._rows[name], digest=f"{self._sums[name] % MODULUS:064x}")
            for name in sorted(self._rows)
        }
        return Dump(tables, self._definitions.hexdigest(), tuple(sorted(self._migrations)))

    def _read(self, line: bytes) -> None:
        if line:
            self._last = line
        if insert := INSERT.match(line):
            table = insert[1].decode()
            self._rows[table] += 1
            self._sums[table] += int.from_bytes(hashlib.sha256(line).digest(), "big")
            if migration := MIGRATION.match(line):
                self._migrations.append(b".".join(migration.groups()).decode())
        elif not line.startswith(b"--"):
            self._definitions.update(line + b"\n")


def statements(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a dump in parts of about COMMIT_BYTES, each part a transaction of its own."""
    yield b"SET autocommit = 0;\n"
    part: list[bytes] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line)
        # A table's definition has several lines.
        if size >= COMMIT_BYTES and line.endswith(b";\n"):
            yield b"".join((*part, b"COMMIT;\n"))
            part, size = [], 0
    yield b"".join((*part, b"COMMIT;\n"))


def differences(kept: Mapping[str, Table], restored: Mapping[str, Table]) -> tuple[str, ...]:
    """How the rows of a server's tables differ from those of the backup, a line each."""
    lines = [
        _difference(name, kept.get(name), restored.get(name))
        for name in sorted(kept.keys() | restored.keys())
    ]
    return tuple(line for line in lines if line)


def differences_of_definitions(kept: str, restored: str) -> tuple[str, ...]:
    """Whether a server describes its tables in other words. Another version of it may do so."""
    return () if kept == restored else ("MySQL: the tables' definitions differ",)


def _difference(name: str, kept: Table | None, restored: Table | None) -> str:
    if kept == restored:
        return ""
    there, here = (table.rows if table else 0 for table in (kept, restored))
    if there != here:
        return f"MySQL: {name}: {there} rows in the backup, {here} restored"
    return f"MySQL: {name}: {there} rows, but not the same"
