"""Brings a backup into the lab, in place of what is there."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

from lab.backup import dump, dumps, posts, snapshots
from lab.backup.folder import checked, digests
from lab.backup.manifest import AFTER, BEFORE, DUMP, Manifest, refused, unknown_migrations
from lab.backup.room import require_room
from lab.backup.rows import empty_posts, known_migrations, rows_of_posts
from lab.balancers import balancers
from lab.config.paths import RESTORING
from lab.context import Lab
from lab.databases import mysql
from lab.databases.administrator import CHANGED, administrator_fits
from lab.databases.initialize import initialize
from lab.databases.owners import OWNED, take_over
from lab.databases.roles import primary
from lab.deploy import swarm
from lab.deploy.changes import changes
from lab.engine.progress import phase, resume, say, together
from lab.engine.ssh import wait_until
from lab.errors import LabError
from lab.plan.plans import DATA, WEB
from lab.plan.records import File
from lab.release.releases import Release

WELL_SECONDS = 120
# Of the first release that knows posts by account (django_app/posts/migrations).
KNOWS_ACCOUNTS = "posts.0001_removed_accounts"
# Django works its rows off, also while they are compared.
WORKED_OFF = "posts_removedaccount"
# What `fab init` makes of itself.
OWN_ACCOUNTS = "'admin', 'lab-probe'"


def restore(lab: Lab, folder: Path, *, replace: bool) -> Manifest:
    """Everything is checked first. Then the site is closed until all is there.

    From the first thing that it changes to the last a note stays on the builder: if it is cut off
    between them, the next restore begins again, and no other task changes the lab before.
    """
    with phase("checked"):
        manifest = checked(folder)
        release = lab.require_release()
        if half := lab.half_restored():
            _close_again(lab, release, half, replace=replace)
        _require_fitting(lab, release, manifest, replace=replace)
    with phase("site closed"):
        _close(lab, release, manifest, replace=replace)
    say("lab", "the site is closed: begins to restore")
    with phase("MySQL"):
        _restore_mysql(lab, folder, manifest)
    with phase("Cassandra"):
        _restore_cassandra(lab, release, folder, manifest)
    with phase("init"):
        # A backup of an older release has posts without owners.
        lab.builder.change("rm", "--force", OWNED)
        initialize(lab, release, only_news=True)
        if not changes(lab, release, lab.topology.web):
            take_over(lab, release)
        _wait_replicated(lab)
    if not administrator_fits(lab):
        say("lab", CHANGED)
    with phase("site opened"):
        _restart_django(lab)
        # All data are there. Whatever keeps the site from being opened, other tasks can mend.
        lab.builder.change("rm", "--force", RESTORING)
        _wait_web_well(lab)
        balancers.reopen(lab)
    return manifest


def _close_again(lab: Lab, release: Release, half: str, *, replace: bool) -> None:
    """A balancer of a half restored lab that died since is brought up by no other task, and opens
    the site. Raises LabError, before anything is touched, if users may have written to it."""
    say("lab", f"a restore of {half} was cut off: beginning again")
    if not replace and not balancers.closed(lab):
        raise LabError(
            f"the restore of {half} was cut off, and a balancer that ended or was started since may"
            " have opened the site: `--replace` removes what is there, also what users wrote since"
        )
    try:
        balancers.configure(lab, release)
    finally:
        resume()
        balancers.close(lab)


def _require_fitting(lab: Lab, release: Release, manifest: Manifest, *, replace: bool) -> None:
    """Raises LabError if the backup does not fit the lab; nothing was touched then."""
    if lab.topology.overlay or swarm.active(lab):
        raise LabError("restore: can't close the site of a stack: `fab deploy` ends the stack")
    known = known_migrations(lab, release)
    if KNOWS_ACCOUNTS not in known:
        raise LabError(
            f"restore: release {release.name} keeps posts by their authors' names, and would leave"
            " those by account behind: `fab deploy` first"
        )
    if unknown := unknown_migrations(manifest, known):
        raise refused(
            manifest.name,
            f"release {release.name} has no migration {unknown[0]}: deploy one that has",
        )
    _require_well(lab, release)
    settings = lab.topology.settings
    require_room(lab, dict.fromkeys((*settings.mysql, *settings.cassandra)), manifest)
    there = rows_of_posts(lab, release)
    if not posts.fitting(manifest.columns, there.columns):
        raise refused(manifest.name, "the posts' tables have other columns in this release")
    if not replace and not lab.half_restored():
        _require_empty(lab, there)


def _require_empty(lab: Lab, there: posts.Posts) -> None:
    if used := _signs_of_use(lab, there):
        raise LabError(f"the lab is not empty: it has {used}: `--replace` removes them")


def _close(lab: Lab, release: Release, manifest: Manifest, *, replace: bool) -> None:
    """Closes the site and notes it. If that fails, or if somebody has written to an empty lab since
    it was looked at, opens it again, but for one that is half restored already."""
    half = lab.half_restored()
    try:
        balancers.close(lab)
        if not replace and not half:
            _require_empty(lab, rows_of_posts(lab, release))
        _note(lab, manifest)
    except BaseException:
        if not half:
            resume()
            with suppress(LabError):
                balancers.reopen(lab)
        raise


def _require_well(lab: Lab, release: Release) -> None:
    def ill(name: str) -> list[str]:
        wanted = lab.plan(release, name).only(DATA).containers
        running = lab.nodes[name].observe().containers
        return [
            f"{name}: {container.name}"
            for container in wanted
            if container.name not in running or not running[container.name].well
        ]

    ill_of = together({name: partial(ill, name) for name in lab.topology.names})
    if names := [name for node in lab.topology.names for name in ill_of[node]]:
        raise LabError(f"{', '.join(names)}: not healthy: nothing was done: `fab doctor`")


def _signs_of_use(lab: Lab, there: posts.Posts) -> str:
    """What only a lab that was used has, in words."""
    others = f"SELECT COUNT(*) FROM djangodb.auth_user WHERE username NOT IN ({OWN_ACCOUNTS})"  # noqa: S608
    (accounts,) = mysql.sql(lab.nodes[primary(lab)], others)
    parts = [f"{accounts} accounts"] if accounts != "0" else []
    if there.rows:
        parts.append(f"{there.counts['posts']} posts")
    return " and ".join(parts)


def _note(lab: Lab, manifest: Manifest) -> None:
    lab.builder.put((File(RESTORING, manifest.name + "\n"),))


def _restore_mysql(lab: Lab, folder: Path, manifest: Manifest) -> None:
    server = primary(lab)
    dumps.load(lab.nodes[server], folder / DUMP)
    contents = dumps.contents(lab.nodes[server])
    tables = {name: table for name, table in manifest.tables.items() if name != WORKED_OFF}
    there = {name: table for name, table in contents.tables.items() if name != WORKED_OFF}
    if differing := dump.differences(tables, there):
        raise LabError(f"{server}: {'; '.join(differing)}: run `fab restore` again")
    # The rows fit them. What differs may be the words of another version of MySQL.
    for line in dump.differences_of_definitions(manifest.definitions, contents.definitions):
        say(server, f"{line} in words from those of the backup")
    say(server, f"MySQL: {sum(table.rows for table in contents.tables.values())} rows, as dumped")


def _restore_cassandra(lab: Lab, release: Release, folder: Path, manifest: Manifest) -> None:
    empty_posts(lab, release)
    snapshots.load_all(lab, folder, manifest)
    snapshots.cleanup(lab)
    restored = rows_of_posts(lab, release)
    after = digests(folder / AFTER)
    if differing := posts.missing(digests(folder / BEFORE), after, restored.rows):
        raise LabError(f"{'; '.join(differing)}: run `fab restore` again")
    for line in posts.surplus(restored.rows, after):
        say("lab", f"{line} when the backup was taken")
    say("lab", f"Cassandra: {restored.counts['posts']} posts, as they were")


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

    together({name: partial(restart, name) for name in lab.topology.names})


def _wait_web_well(lab: Lab) -> None:
    def wait(name: str) -> None:
        wait_until(
            f"{name}: healthy web containers",
            lambda: [
                container.name
                for container in lab.nodes[name].observe().containers.values()
                if container.service in WEB and not container.well
            ],
            lambda ill: not ill,
            seconds=WELL_SECONDS,
            advice=lambda _: "`fab doctor`; `fab balance` opens the site",
        )

    together({name: partial(wait, name) for name in lab.topology.names})
