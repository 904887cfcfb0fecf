"""The posts' tables on Cassandra's nodes: snapshots of them, and snapshots brought back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab.backup.folder import parts, tables_in
from lab.backup.manifest import Manifest
from lab.context import Lab
from lab.engine.progress import say, together
from lab.engine.ssh import CHANGING, Node
from lab.errors import LabError

KEYSPACE, SERVER = "posts_db", "cassandra"
DATA = f"/var/lib/cassandra/data/{KEYSPACE}"
TAG = "fab-backup"
# What lists a post is written before it (django_app/posts/schema.py): the other way round here, so
# that no post is in the backup without its month and its owner.
POSTS, LISTS = ("posts_of_accounts", "posts"), ("owners", "months_of_accounts", "months")
TABLES = (*POSTS, *LISTS)
# In the volume: an import moves files, which it can't from one file system to another.
INCOMING = "/var/lib/cassandra/incoming"
FOLDERS = 'shopt -s nullglob; cd "$1"; printf "%s\\n" */snapshots/"$2"'
INSIDE = ("docker", "exec", SERVER)


@contextmanager
def snapshots(lab: Lab, tables: Collection[str]) -> Iterator[None]:
    """A snapshot of these of the posts' tables stands on every node meanwhile. Raises LabError
    naming a node that made none."""
    _clear(lab)
    try:
        for some in (POSTS, LISTS):
            _on_all(lab, partial(_take, tuple(table for table in some if table in tables)))
        yield
    finally:
        _clear(lab)


def _take(tables: tuple[str, ...], node: Node) -> None:
    names = ",".join(f"{KEYSPACE}.{table}" for table in tables)
    node.change(*INSIDE, *("nodetool", "snapshot", "--tag", TAG, "--kt-list", names))


def _clear(lab: Lab) -> None:
    """Removes what this backup, or one that was killed, has left."""

    def clear(node: Node) -> None:
        if _folders(node):
            node.change(*INSIDE, "nodetool", "clearsnapshot", "-t", TAG, "--", KEYSPACE)

    _on_all(lab, clear)


def _folders(node: Node) -> list[str]:
    """The folders of the snapshot, relative to DATA."""
    return node.run(*INSIDE, "bash", "-c", FOLDERS, "bash", DATA, TAG).split()


def _on_all(lab: Lab, act: Callable[[Node], object]) -> None:
    together({name: partial(act, lab.nodes[name]) for name in lab.topology.settings.cassandra})


def send(node: Node, take: Callable[[bytes], object]) -> None:
    """Hands a node's snapshot over as an archive: a file's name there is TABLE/FILE."""
    short = rf"--transform=s,-[0-9a-f]*/snapshots/{TAG}/,/,"
    archive = ("tar", "--create", "--directory", DATA, "--no-recursion", short)
    files = node.run(*INSIDE, "find", *(f"{DATA}/{f}" for f in _folders(node)), "-type", "f")
    names = (file.removeprefix(f"{DATA}/") for file in files.split())
    node.download(take, *INSIDE, *archive, "--", *names)


def data_bytes(node: Node) -> int:
    """Of the posts' tables, without what older snapshots hold."""
    counted = ("du", "--summarize", "--bytes", "--exclude=snapshots", "--exclude=backups", DATA)
    # It fails if a file goes meanwhile, as after a compaction, and prints the sum nevertheless.
    _, output, errors = node.attempt(*INSIDE, *counted)
    if not output:
        raise LabError(f"{node.name}: {DATA} can't be measured: {errors.strip()}: `fab doctor`")
    return int(output.split()[0])


def load(node: Node, folder: Path, manifest: Manifest, server: str = SERVER) -> None:
    """Adds a backup's rows to a node: of each row it takes part in keeping, and of all others.

    Every node reads the snapshots of all: together they have each acknowledged row, also in a ring
    that is divided otherwise. `cleanup` removes what is not a node's.
    """
    inside = ("docker", "exec", server)
    node.change(*inside, "rm", "--recursive", "--force", INCOMING)
    try:
        archives = {source: folder / file for source, file in manifest.snapshots.items()}
        for source, archive in archives.items():
            where = f"{INCOMING}/{source}"
            node.change(*inside, "mkdir", "--parents", where)
            unpack = ("tar", "--extract", "--no-same-permissions", "--directory", where)
            node.upload(parts(archive), *CHANGING, "docker", "exec", "-i", server, *unpack)
        for table in TABLES:
            held = [source for source, archive in archives.items() if table in tables_in(archive)]
            folders = [f"{INCOMING}/{source}/{table}" for source in held]
            if folders:
                take = ("nodetool", "import", "--no-tokens", "--extended-verify")
                node.change(*inside, *take, "--", KEYSPACE, table, *folders)
    finally:
        node.change(*inside, "rm", "--recursive", "--force", INCOMING)


def cleanup(lab: Lab) -> None:
    """Removes from each node the rows that others keep."""
    _on_all(lab, lambda node: node.change(*INSIDE, "nodetool", "cleanup", KEYSPACE))


def load_all(lab: Lab, folder: Path, manifest: Manifest) -> None:
    def load_there(node: Node) -> None:
        load(node, folder, manifest)
        say(node.name, "snapshots imported")

    _on_all(lab, load_there)
