"""Proves a backup: restores it into servers that are thrown away, and compares what is in them."""

from __future__ import annotations

from pathlib import Path

from lab.backup import dump, dumps, posts, scratch, snapshots
from lab.backup.folder import checked, digests
from lab.backup.manifest import AFTER, BEFORE, DUMP, Manifest
from lab.backup.room import require_room
from lab.backup.rows import rows_of_posts
from lab.context import Lab
from lab.engine.progress import phase
from lab.errors import LabError
from lab.release.releases import Release


def verify(lab: Lab, folder: Path) -> Manifest:
    """Raises LabError with each difference, or with why the backup can't be restored at all."""
    with phase("files checked"):
        manifest = checked(folder)
    release = lab.require_release()
    scratch.remove_leftovers(lab)
    require_room(lab, (lab.topology.builder,), manifest)
    differences = (
        *differences_of_mysql(lab, release, folder, manifest),
        *differences_of_cassandra(lab, release, folder, manifest),
    )
    if differences:
        raise LabError(f"backup {manifest.name}: " + "; ".join(differences))
    return manifest


def differences_of_mysql(
    lab: Lab, release: Release, folder: Path, manifest: Manifest
) -> tuple[str, ...]:
    with phase("MySQL restored"), scratch.mysql(lab, release) as server:
        dumps.load(lab.builder, folder / DUMP, server)
        contents = dumps.contents(lab.builder, server)
    return (
        *dump.differences(manifest.tables, contents.tables),
        *dump.differences_of_definitions(manifest.definitions, contents.definitions),
    )


def differences_of_cassandra(
    lab: Lab, release: Release, folder: Path, manifest: Manifest
) -> tuple[str, ...]:
    with phase("Cassandra restored"), scratch.cassandra(lab, release) as server:
        snapshots.load(lab.builder, folder, manifest, server)
        restored = rows_of_posts(lab, release, network=scratch.BESIDE, environment=scratch.ALONE)
    if not posts.fitting(manifest.columns, restored.columns):
        return ("Cassandra: the posts' tables have other columns in this release",)
    after = digests(folder / AFTER)
    return (
        *posts.missing(digests(folder / BEFORE), after, restored.rows),
        *posts.surplus(restored.rows, after),
    )
