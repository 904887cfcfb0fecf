"""Takes a backup while the lab serves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lab.backup import dumps, manifest, posts, snapshots
from lab.backup.dump import Dump
from lab.backup.folder import BACKUPS, Draft, draft, finish
from lab.backup.manifest import Manifest
from lab.backup.rows import rows_of_posts
from lab.context import Lab
from lab.databases import mysql
from lab.databases.roles import replica
from lab.engine.progress import phase, say, together
from lab.errors import LabError

# Of what the databases hold, as a share: archives and dumps differ from files and tables.
ROOM = 2


def backup(lab: Lab, backups: Path = BACKUPS) -> Manifest:
    """First the posts, then the accounts: whoever wrote a post that is in it is in it too."""
    release = lab.require_release()
    began = datetime.now(UTC)
    with draft(backups, manifest.name_at(began)) as unfinished:
        _require_room(lab, backups)
        with phase("posts read"):
            before = posts.with_rows(rows_of_posts(lab, release))
        with phase("snapshots and dump"), snapshots.snapshots(lab, before.counts):
            say("lab", "Cassandra's snapshots stand")
            executed = mysql.executed(lab)
            dump = _copy(lab, unfinished, executed)
        with phase("posts read again"):
            after = rows_of_posts(lab, release)
        for name, rows in ((manifest.BEFORE, before.rows), (manifest.AFTER, after.rows)):
            with unfinished.file(name, compressed=True) as file:
                file.write(posts.lines(rows).encode())
        made = Manifest(
            format=manifest.FORMAT,
            name=manifest.name_at(began),
            time=began.isoformat(timespec="seconds"),
            lab=lab.topology.name,
            release=release.name,
            gtid_executed=executed,
            definitions=dump.definitions,
            tables=dump.tables,
            migrations=dump.migrations,
            columns=before.columns,
            posts=before.counts,
            files=unfinished.files,
        )
        finish(unfinished, made)
    return made


def _copy(lab: Lab, unfinished: Draft, executed: str) -> Dump:
    """The dump of a replica that has executed those transactions, and every node's snapshot."""
    source = replica(lab)
    dumped: list[Dump] = []

    def dump() -> None:
        mysql.wait_executed(lab, source, executed)
        with unfinished.file(manifest.DUMP, compressed=True) as file:
            dumped.append(dumps.dump(lab.nodes[source], file.write))
        say(source, "MySQL dumped")

    def snapshot(name: str) -> None:
        with unfinished.file(manifest.snapshot_file(name)) as file:
            snapshots.send(lab.nodes[name], file.write)
        say(name, "snapshot copied")

    copies: dict[str, Callable[[], None]] = {
        name: partial(snapshot, name) for name in lab.topology.settings.cassandra
    }
    together({"MySQL": dump, **copies})
    return dumped[0]


def _require_room(lab: Lab, backups: Path) -> None:
    nodes = lab.topology.settings.cassandra
    sizes = together({name: partial(snapshots.data_bytes, lab.nodes[name]) for name in nodes})
    needed = ROOM * (sum(sizes.values()) + dumps.data_bytes(lab.nodes[replica(lab)]))
    free = shutil.disk_usage(backups).free
    if free < needed:
        raise LabError(
            f"{backups}: {free // 10**6} MB are free, and a backup may take {needed // 10**6} MB"
        )
