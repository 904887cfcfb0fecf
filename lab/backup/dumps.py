"""MySQL's database as a dump of a server, and a dump brought back to one."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

from lab.backup.dump import Dump, DumpReader, statements
from lab.databases.mysql import DATABASE, SERVER, sql
from lab.engine.ssh import CHANGING, Node

# In one transaction of the server's, and one row a line, which lab/backup/dump.py counts on. GTIDs
# stay out: a restored database is written anew by the group that takes it.
MYSQLDUMP = (
    *("mysqldump", "-uroot", "--single-transaction", "--set-gtid-purged=OFF", "--no-tablespaces"),
    *("--skip-extended-insert", "--skip-add-locks", "--skip-disable-keys", "--skip-dump-date"),
    *("--hex-blob", "--add-drop-database", "--databases", DATABASE),
)


def dump(node: Node, take: Callable[[bytes], object], server: str = SERVER) -> Dump:
    """Hands a server's database over; what was in it. Raises LabError if it was cut off."""
    reader = DumpReader()

    def read(part: bytes) -> None:
        reader.feed(part)
        take(part)

    node.download(read, "docker", "exec", server, *MYSQLDUMP)
    return reader.finish()


def contents(node: Node, server: str = SERVER) -> Dump:
    """What is in a server's database."""
    return dump(node, lambda _: None, server)


def load(node: Node, path: Path, server: str = SERVER) -> None:
    """Replaces a server's database by a dump that is kept in a file."""
    client = ("docker", "exec", "--interactive", server, "mysql", "-uroot", "--binary-mode")
    with gzip.open(path, "rb") as lines:
        node.upload(statements(lines), *CHANGING, *client)


def data_bytes(node: Node) -> int:
    sizes = "SELECT COALESCE(SUM(data_length), 0) FROM information_schema.tables"
    return int(sql(node, f"{sizes} WHERE table_schema = '{DATABASE}'")[0])
