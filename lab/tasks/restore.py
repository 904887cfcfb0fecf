"""Brings a backup into the lab, in place of what is there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab.backup import dump, posts
from lab.backup.folder import checked, digests
from lab.backup.manifest import (
    AFTER,
    BEFORE,
    DUMP,
    RESTORING,
    Manifest,
    refused,
    unknown_migrations,
)
from lab.containers import File
from lab.errors import LabError
from lab.plan import DATA, WEB
from lab.progress import phase, say, together
from lab.releases import Release
from lab.remote import wait_until
from lab.tasks import balancers, cassandra, mysql, overlay
from lab.tasks.application import empty_posts, known_migrations, rows_of_posts
from lab.tasks.context import Lab
from lab.tasks.initialize import initialize
from lab.tasks.room import require_room
from lab.tasks.targets import primary

WELL_SECONDS = 120
# What `fab init` makes of itself.
ADMINISTRATOR = "admin"


def restore(lab: Lab, folder: Path, *, replace: bool) -> Manifest:
    """Everything is checked first. Then the site is closed until all is there.

    If it is cut off, the site stays closed, and the next restore begins again.
    """
    with phase("checked"):
        manifest = checked(folder)
        release = lab.require_release()
        _require_fitting(lab, release, manifest, replace=replace)
    _note(lab, manifest)
    with phase("site closed"):
        balancers.close(lab)
    say("lab", "the site is closed: begins to restore")
    with phase("MySQL"):
        _restore_mysql(lab, folder, manifest)
    with phase("Cassandra"):
        _restore_cassandra(lab, release, folder, manifest)
    with phase("init"):
        initialize(lab, release, only_news=True)
        _wait_replicated(lab)
    with phase("site opened"):
        _restart_django(lab)
        balancers.set_state(lab, lab.topology.nginx_nodes, "ready")
    lab.builder.change("rm", "--force", RESTORING)
    return manifest


def _require_fitting(lab: Lab, release: Release, manifest: Manifest, *, replace: bool) -> None:
    """Raises LabError if the backup does not fit the lab; nothing was touched then."""
    if lab.topology.overlay or overlay.active(lab):
        raise LabError("restore: can't close the site of a stack: `fab deploy` ends the stack")
    if unknown := unknown_migrations(manifest, known_migrations(lab, release)):
        raise refused(
            manifest.name,
            f"release {release.name} has no migration {unknown[0]}: deploy one that has",
        )
    _require_well(lab, release)
    require_room(lab, lab.topology.settings.cassandra, manifest)
    there = rows_of_posts(lab, release)
    if there.columns != manifest.columns:
        raise refused(manifest.name, "the posts' tables have other columns in this release")
    if half := lab.half_restored():
        say("lab", f"a restore of {half} was cut off: beginning again")
    elif not replace and (found := _found(lab, there)):
        raise LabError(f"the lab is not empty: it has {found}: `--replace` removes them")


def _require_well(lab: Lab, release: Release) -> None:
    def ill(name: str) -> list[str]:
        wanted = lab.plan(release, name).only(DATA).containers
        found = lab.nodes[name].observe().containers
        return [
            f"{name}: {one.name}"
            for one in wanted
            if one.name not in found or not found[one.name].well
        ]

    found = together({name: partial(ill, name) for name in lab.topology.names})
    if names := [one for node in found.values() for one in node]:
        raise LabError(f"{', '.join(names)}: not healthy: nothing was done: `fab doctor`")


def _found(lab: Lab, there: posts.Posts) -> str:
    """What only a lab that was used has, in words."""
    query = f"SELECT COUNT(*) FROM djangodb.auth_user WHERE username <> '{ADMINISTRATOR}'"  # noqa: S608
    (accounts,) = mysql.sql(lab.nodes[primary(lab)], query)
    parts = [f"{accounts} accounts"] if accounts != "0" else []
    if there.rows:
        parts.append(f"{there.counts['posts']} posts")
    return " and ".join(parts)


def _note(lab: Lab, manifest: Manifest) -> None:
    lab.builder.put((File(RESTORING, manifest.name + "\n"),))


def _restore_mysql(lab: Lab, folder: Path, manifest: Manifest) -> None:
    server = primary(lab)
    mysql.load(lab.nodes[server], folder / DUMP)
    found = mysql.contents(lab.nodes[server])
    if differing := dump.differences(manifest.tables, manifest.definitions, found):
        raise LabError(f"{server}: {'; '.join(differing)}: run `fab restore` again")
    say(server, f"MySQL: {sum(table.rows for table in found.tables.values())} rows, as dumped")


def _restore_cassandra(lab: Lab, release: Release, folder: Path, manifest: Manifest) -> None:
    empty_posts(lab, release)
    cassandra.load_all(lab, folder, manifest)
    cassandra.cleanup(lab)
    found = rows_of_posts(lab, release)
    if differing := posts.differences(
        digests(folder / BEFORE), found.rows, digests(folder / AFTER)
    ):
        raise LabError(f"{'; '.join(differing)}: run `fab restore` again")
    say("lab", f"Cassandra: {found.counts['posts']} posts, as they were")


def _wait_replicated(lab: Lab) -> None:
    executed = mysql.executed(lab)
    together(
        {
            name: partial(mysql.wait_executed, lab, name, executed)
            for name in lab.topology.settings.mysql
        }
    )


def _restart_django(lab: Lab) -> None:
    """Its processes remember rows by numbers that are others' now (content types)."""

    def restart(name: str) -> None:
        node = lab.nodes[name]
        for running in node.observe().containers.values():
            if running.service in WEB - {"nginx"}:
                node.change("docker", "restart", running.name)
        wait_until(
            f"{name}: healthy web containers",
            lambda: [
                one.name
                for one in node.observe().containers.values()
                if one.service in WEB and not one.well
            ],
            lambda ill: not ill,
            seconds=WELL_SECONDS,
            advice=lambda _: "`fab doctor`",
        )

    together({name: partial(restart, name) for name in lab.topology.names})
