"""MySQL's servers from inside their containers: queries, dumps, and dumps brought back.

Root there needs no password: the server knows it by the socket (images/mysql/entrypoint.sh).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.backup.dump import Dump, DumpReader, statements
from lab.errors import LabError
from lab.remote import CHANGING, Node
from lab.tasks.context import Lab
from lab.tasks.targets import primary

DATABASE, SERVER = "djangodb", "mysql"
# Seconds for a server to apply what the primary had.
APPLIED_SECONDS = 60

# In one transaction of the server's, and one row a line, which lab/backup/dump.py counts on. GTIDs
# stay out: a restored database is written anew by the group that takes it.
MYSQLDUMP = (
    *("mysqldump", "-uroot", "--single-transaction", "--set-gtid-purged=OFF", "--no-tablespaces"),
    *("--skip-extended-insert", "--skip-add-locks", "--skip-disable-keys", "--skip-dump-date"),
    *("--hex-blob", "--add-drop-database", "--databases", DATABASE),
)


def sql(node: Node, query: str, server: str = SERVER) -> list[str]:
    """The words of the answer."""
    client = ("mysql", "-uroot", "--batch", "--skip-column-names", "--execute", query)
    return node.run("docker", "exec", server, *client).split()


def executed(lab: Lab) -> str:
    """The transactions (GTIDs) that the primary has executed by now."""
    answer = sql(lab.nodes[primary(lab)], "SELECT @@GLOBAL.gtid_executed")
    return "".join(answer).replace("\\n", "")


def wait_executed(lab: Lab, server: str, transactions: str) -> None:
    """Returns once a server has them all. Raises LabError if it takes too long."""
    wait = f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{transactions}', {APPLIED_SECONDS})"
    if sql(lab.nodes[server], wait) != ["0"]:
        raise LabError(
            f"{server}: MySQL lags behind by more than {APPLIED_SECONDS} s: `fab doctor`"
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


def password_hash(lab: Lab, username: str) -> str:
    """Django's, as the first server that answers has it; empty if there is none, or no answer."""
    query = f"SELECT password FROM {DATABASE}.auth_user WHERE username = '{username}'"  # noqa: S608
    for name in lab.topology.settings.mysql:
        with suppress(LabError):
            return "".join(sql(lab.nodes[name], query))
    return ""


def data_bytes(node: Node) -> int:
    sizes = "SELECT COALESCE(SUM(data_length), 0) FROM information_schema.tables"
    return int(sql(node, f"{sizes} WHERE table_schema = '{DATABASE}'")[0])
