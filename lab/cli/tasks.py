"""The tasks as they are typed: arguments in, one task's work, what the user is told at its end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fabric import Connection, task
from invoke.context import Context

from lab.backup import backup as backups_of
from lab.backup import folder as folders
from lab.backup import restore as restoring
from lab.backup import verify as verified_backup
from lab.balancers import balancers
from lab.bundle import load as loading
from lab.bundle import manifest as bundles
from lab.bundle import write as writing
from lab.cli.arguments import NameOrList
from lab.config.modes import OVERLAY, of_one_node
from lab.config.paths import FOLDER, LOADED
from lab.config.topology import WebService, load
from lab.context import NO_RELEASE, Lab
from lab.databases.administrator import CHANGED, administrator_fits
from lab.databases.initialize import initialize
from lab.deploy import building, preview, publishing, swarm
from lab.deploy import deploy as deployment
from lab.deploy.history import history
from lab.deploy.up import bring_up
from lab.doctor import examine as examination
from lab.doctor import status as statuses
from lab.doctor import verify as verification
from lab.doctor.diagnosis import as_json, diagnose, report
from lab.drawings import write
from lab.drawings.waiting import drawn
from lab.drills import drill as drills
from lab.drills.report import text as drill_text
from lab.engine.progress import phases, say
from lab.engine.waits import elapsed
from lab.errors import LabError
from lab.lifecycle import boot
from lab.lifecycle import box as boxes
from lab.lifecycle import destroy as destruction
from lab.machines.typed import for_own_hosts
from lab.matrix import compare as comparison
from lab.matrix import ratios
from lab.matrix import run as matrices
from lab.matrix.article import ROWS
from lab.matrix.results import table as matrix_table
from lab.observe import logs as log_lines
from lab.observe import top as live_view
from lab.observe import trace as traces
from lab.release.images import IMAGES

# Django tasks of a stack: more would only wait for the two databases.
MOST_TASKS = 12
# Of a soak: it ends by itself.
MOST_MINUTES = 600
# Seconds.
DAY = 24 * 60 * 60
MOST_LINES = 100_000

# The tasks that -H is for; the others work on the whole lab.
OF_ONE_NODE = ("deploy", "logs", "plan")


@task
def up(context: Context) -> None:
    """Bring the whole lab up, each part only where something differs, and verify it."""
    lab = Lab()
    with drawn("up"):
        boot.boot(lab)
        with lab.changing("up"):
            boot.provision(lab)
            release = bring_up(lab)
            verification.verify(lab)
    say("lab", f"up and verified, release {release.name}: http://{lab.topology.virtual_address}/")


@task
def build(context: Context) -> None:
    """Build the images that neither the builder nor the registry has."""
    lab = Lab()
    with lab.changing("build"):
        release = publishing.source_release(lab, lab.current_release())
        building.start_registry(lab, release)
        absent = building.built_lacks(lab, building.missing(lab, release.tags))
        if absent:
            building.send_sources(lab, absent)
        building.build_all(lab, absent)
    say("lab", f"{len(absent)} images built, {len(IMAGES) - len(absent)} unchanged")


@task
def push(context: Context) -> None:
    """Build what is missing and push it to the registry."""
    lab = Lab()
    with lab.changing("push"):
        release = publishing.source_release(lab, lab.current_release())
        with publishing.Publishing(lab, release, release.tags) as published:
            published.wait(*IMAGES)
    say("lab", f"{lab.topology.registry} has {', '.join(sorted(IMAGES))}")


@task(
    help={
        "mode": "the wiring until the next deploy: of -H's node one of "
        f"{', '.join(of_one_node())}; of the whole lab {OVERLAY}"
    }
)
def deploy(context: Context, mode: str = "") -> None:
    """Build, push and bring the current sources to the web nodes (-H NODE: to one).

    The first one starts registry, databases and balancers, too; it needs `vagrant up` alone.
    """
    lab, services = _chosen(context, mode)
    with drawn("deploy"), lab.changing("deploy"):
        release = deployment.deploy(lab, services, other_mode=bool(mode))
    say("lab", f"where the time went: {phases()}")
    say("lab", f"deployed release {release.name}: http://{lab.topology.virtual_address}/")


@task(
    help={
        "mode": "as `fab deploy --mode` would bring it; without it, and without -H, as `fab up`",
        "commands": "also the commands, as they would be typed on the node",
    }
)
def plan(context: Context, mode: str = "", commands: bool = False) -> None:
    """Show what `fab up` would do on each node and why (-H NODE, --mode: `fab deploy`); do nothing.

    `fab deploy` does of it what concerns the web, the balancers and the registry.
    """
    lab, services = _chosen(context, mode)
    whole = not mode and not isinstance(context, Connection)
    found = preview.preview(lab, services, whole=whole, other_mode=bool(mode))
    print(preview.text(found, commands=commands))


@task(help={"to": "a release that `fab releases` lists; else the one that was live before"})
def rollback(context: Context, to: str = "") -> None:
    """Go back to an earlier release: its images, static files and wiring, as it was recorded."""
    lab = Lab()
    with lab.changing("rollback"):
        release = deployment.rollback(lab, to)
    say("lab", f"where the time went: {phases()}")
    say("lab", f"back at release {release.name}")


@task
def releases(context: Context) -> None:
    """List the releases: when they were made, of which commit, and what became of them."""
    print(history(Lab()))


def _chosen(context: Context, mode: str) -> tuple[Lab, tuple[WebService, ...]]:
    """The lab, perhaps with one node in another mode, and the web services that are meant."""
    lab = Lab()
    if not isinstance(context, Connection):
        if mode == OVERLAY:
            lab = Lab(lab.topology.with_overlay())
        elif mode:
            raise LabError(
                "--mode: needs one node: fab -H NODE deploy --mode=MODE;"
                f" only {OVERLAY} is the whole lab's"
            )
        return lab, lab.topology.web
    node = context.original_host
    if mode:
        lab = Lab(lab.topology.with_mode(node, mode))
    services = lab.topology.web_services_of(node)
    if not services:
        raise LabError(
            f"-H: {node} runs no web service; those that do: {', '.join(lab.topology.web_nodes)}"
        )
    return lab, services


def _number(name: str, text: str, least: int, most: int) -> int:
    # By its length first: Python reads no number of thousands of digits.
    fits = text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most
    if not fits:
        raise LabError(f"{name}: {text[:40]!r} should be a number from {least} to {most}")
    return int(text)


@task(
    help={
        "mode": f"one of the wirings, or {' or '.join(ROWS)}",
        "modes": "some of them, comma-separated",
        "seconds": "to ask for each page, 1 to 60",
    }
)
def matrix(context: Context, mode: str = "", modes: str = "", seconds: str = "5") -> None:
    """Run, test and measure every wiring, and the article's beside it.

    Tables and a picture go to .lab/reports/. What the article has is measured beside the release
    that serves, in turn with it, and is gone afterwards.
    """
    every = (*matrices.every(), *ROWS)
    chosen = tuple(filter(None, (mode, *modes.split(",")))) or every
    if unknown := [name for name in chosen if name not in every]:
        raise LabError(f"matrix: {unknown[0]!r} is no mode; those are {', '.join(every)}")
    length = _number("--seconds", seconds, 1, 60)
    wirings = tuple(name for name in chosen if name not in ROWS)
    rows = tuple(name for name in ROWS if name in chosen)
    lab = Lab()
    with lab.changing("matrix"):
        if wirings:
            print(matrix_table(matrices.run(lab, wirings, length)), flush=True)
        if rows:
            print(ratios.table(comparison.compare(lab, rows, length)))


@task(help={"count": f"how many, 1 to {MOST_TASKS}"})
def scale(context: Context, count: str) -> None:
    """Have Swarm run COUNT Django tasks until the next deploy (--mode=overlay)."""
    wanted = _number("scale", count, 1, MOST_TASKS)
    lab = Lab()
    with lab.changing("scale"):
        swarm.scale(lab, wanted)


@task(help={"reset-password": "give admin the password of .lab/secrets/django_admin_password"})
def init(context: Context, reset_password: bool = False) -> None:
    """Create database, tables, administrator and keyspace; what is there already stays."""
    lab = Lab()
    with lab.changing("init"):
        initialize(lab, lab.require_release(), reset_password=reset_password)


@task(help={"to": "the balancer that has to have the virtual address then"})
def balance(context: Context, to: str = "") -> None:
    """Bring the balancers' configuration to both balancers, without losing a connection."""
    lab = Lab()
    if to and to not in lab.topology.settings.balancers:
        both = " and ".join(lab.topology.settings.balancers)
        raise LabError(f"--to: {to!r} is no balancer; those are {both}")
    with lab.changing("balance"):
        changed = balancers.balance(lab, lab.require_release())
        if to:
            balancers.move_address(lab, to)
    say("lab", f"balancers: {'as lab.yml says now' if changed else 'unchanged'}")


@task
def verify(context: Context) -> None:
    """Run the testinfra suite: ports, containers and settings of every node."""
    verification.verify(Lab())


@task(help={"json": "one JSON object on standard output"})
def status(context: Context, json: bool = False) -> None:  # noqa: A002
    """Show what runs on every node; exit 0 only if all is well."""
    lab = Lab()
    observed = statuses.status(lab)
    print(_json(observed.as_json()) if json else observed.as_table(), flush=True)
    if not json and not administrator_fits(lab):
        print(CHANGED, flush=True)
    if not observed.healthy:
        raise LabError("; ".join(observed.troubles()) or NO_RELEASE)


@task(help={"json": "one JSON object on standard output"})
def doctor(context: Context, json: bool = False) -> None:  # noqa: A002
    """Find what is wrong, from the browser's side inwards; exit 0 only if nothing is."""
    lab = Lab()
    checks = examination.examine(lab)
    findings = diagnose(checks)
    told = _json(as_json(checks, findings)) if json else report(findings) or "all is well"
    told = for_own_hosts(told) if lab.topology.own_hosts else told
    print(told, flush=True)
    if findings:
        names = ", ".join(finding.check for finding in findings)
        raise LabError(f"doctor: {len(checks)} checks in {elapsed():.1f} s: {names}")
    say("lab", f"doctor: {len(checks)} checks, all well")


def _json(value: Any) -> str:
    return json.dumps(value)


@task(
    help={
        "service": "only this program: django, nginx, haproxy, mysql, cassandra, ...",
        "lines": "how many past lines of each container",
        "follow": "go on until Ctrl-C, with containers that start meanwhile too",
        "raw": "each line as it was logged, JSON as JSON",
    }
)
def logs(
    context: Context, service: str = "", lines: str = "20", follow: bool = False, raw: bool = False
) -> None:
    """Show the containers' logs of all nodes (-H NODE: of one)."""
    lab = Lab()
    chosen = (context.original_host,) if isinstance(context, Connection) else lab.topology.names
    past = _number("--lines", lines, 0, MOST_LINES)
    log_lines.show(lab, chosen, service, past, follow=follow, raw=raw)


@task(
    help={
        "seconds": "how long; without it until Ctrl-C",
        "once": "print it once and end, as it does where there is no terminal",
    }
)
def top(context: Context, seconds: str = "0", once: bool = False) -> None:
    """Watch nodes, containers, requests, errors, replication and ring, live."""
    live_view.show(Lab(), _number("--seconds", seconds, 0, DAY), once=once)


@task(help={"identity": "the request's id: the header X-Request-ID of its answer"})
def trace(context: Context, identity: str) -> None:
    """Follow one request through HAProxy, nginx, uWSGI, Django and the databases."""
    traces.show(traces.find(Lab(), identity))


@task(help={"into": "the folder that they are written to"})
def diagram(context: Context, into: str = write.DRAWINGS_FOLDER) -> None:
    """Draw every mode and the whole lab as lab.yml has them (SVG); show modes' commands, too."""
    if not into:
        raise LabError(f"--into: '' should be a folder, such as {write.DRAWINGS_FOLDER}")
    drawn = write.draw(load(), FOLDER / into)
    if into == write.DRAWINGS_FOLDER and write.show_commands(load(), write.PAGE):
        say("lab", f"{write.PAGE.relative_to(FOLDER)}: commands brought to lab.yml's")
    say("lab", f"{drawn} drawings changed" if drawn else "drawings: unchanged")


@task(
    klass=NameOrList,
    help={
        "name": "the drill, or `all`, or `soak`: faults drawn by chance",
        "list": "what there is to choose from, instead of a name",
        "minutes": f"how long a soak goes on, 1 to {MOST_MINUTES}; without it, each fault once",
        "seed": "what a soak draws by: the same number draws the same faults",
    },
)
def drill(
    context: Context,
    name: str,
    list: bool = False,  # noqa: A002
    minutes: str = "0",
    seed: str = "1",
) -> None:
    """Inject a fault while users read and write, and compare what they were promised."""
    lab = Lab()
    known = drills.known(lab)
    if list:
        width = max(map(len, known))
        print("\n".join(f"{one.name:<{width}}  {one.role} {one.what}" for one in known.values()))
        return
    if name in drills.powerless(lab):
        raise LabError(
            f"drill: {name}: takes power over the machines, and of hosts of your own the lab has"
            " none: see `fab drill --list` for the others"
        )
    if name not in known.keys() | {"all", "soak"}:
        raise LabError(f"drill: {name!r} is no drill: see `fab drill --list`, or `all` or `soak`")
    length = _number("--minutes", minutes, 0, MOST_MINUTES)
    drawn = _number("--seed", seed, 0, 2**31)
    bad = []
    try:
        for done in drills.run_all(lab, name, length, drawn):
            print(drill_text(done), flush=True)
            if not done.well:
                bad.append(done.name)
    except LabError as error:
        if not bad:
            raise
        raise LabError(f"{_were_bad(bad)}\n{error}") from None
    if bad:
        raise LabError(_were_bad(bad))


def _were_bad(drills: Sequence[str]) -> str:
    return f"drill: lost, doubled or not well, see above: {', '.join(drills)}"


@task
def backup(context: Context) -> None:
    """Copy MySQL and Cassandra, consistently and while the lab serves, into backups/."""
    lab = Lab()
    with lab.changing("backup"):
        made = backups_of.backup(lab)
    say("lab", f"where the time went: {phases()}")
    rows = sum(table.rows for table in made.tables.values())
    say("lab", f"backup {made.name}: {rows} rows, {made.posts['posts']} posts, {made.size} bytes")


@task
def backups(context: Context) -> None:
    """List the backups: what they hold, and which of them are not complete."""
    print(folders.table(folders.BACKUPS))


@task(name="verify-backup", help={"name": "a backup that `fab backups` lists; else the newest"})
def verify_backup(context: Context, name: str = "") -> None:
    """Restore a backup into servers that are thrown away, and compare every row."""
    folder = folders.chosen(folders.BACKUPS, name)
    folders.described(folder)
    lab = Lab()
    with lab.changing("verify-backup"):
        made = verified_backup.verify(lab, folder)
    say("lab", f"where the time went: {phases()}")
    say("lab", f"backup {made.name} can be restored: every row is as it was")


@task(
    help={
        "name": "a backup that `fab backups` lists; else the newest",
        "replace": "also where there are accounts and posts already: they are gone then",
    }
)
def restore(context: Context, name: str = "", replace: bool = False) -> None:
    """Bring a backup into an empty lab; the site is closed meanwhile."""
    folder = folders.chosen(folders.BACKUPS, name)
    folders.described(folder)
    lab = Lab()
    with lab.changing("restore"):
        made = restoring.restore(lab, folder, replace=replace)
    say("lab", f"where the time went: {phases()}")
    say("lab", f"restored backup {made.name}")


@task(
    help={
        "file": "what to write, below this folder or with its whole path; with --load: to read",
        "load": "check the file, and have it at hand for `make up`",
        "box": "a box of `fab box` that has to be in it, too",
    }
)
def bundle(context: Context, file: str, load: bool = False, box: str = "") -> None:
    """Write all that a lab needs where there is no network, or bring it in (--load)."""
    path, chosen = _below_folder(file), _below_folder(box) if box else None
    if load:
        if chosen:
            raise LabError("--box: not with --load: what is in the bundle is brought in")
        known = loading.load(path, bundles.here())
        say("bundle", f"{loading.told(known)}, in {LOADED}: `make up` takes it from there")
        return
    lab = Lab()
    writing.require(lab, path, chosen)
    with lab.changing("bundle"):
        building.build_every(lab)
        made = writing.write(lab, path, chosen)
    say("lab", f"where the time went: {phases()}")
    say("lab", f"{path}: {loading.told(made)}")


def _below_folder(file: str) -> Path:
    return Path(os.path.normpath(FOLDER / file))


@task(
    help={
        "disk": f"also {boxes.DISK}, a disk for VirtualBox or plain qemu",
        "emulated": "for machines without hardware virtualization",
    }
)
def box(context: Context, disk: bool = False, emulated: bool = False) -> None:
    """Make lab.box, a Vagrant box for libvirt, of Debian's packages (as root)."""
    boxes.make(emulated=emulated, disk=disk)


@task
def destroy(context: Context) -> None:
    """Remove the lab: nodes, data, network, secrets; caches and backups stay."""
    destruction.destroy(Lab())
    print(f"lab: gone after {elapsed():.0f} s", file=sys.stderr)
