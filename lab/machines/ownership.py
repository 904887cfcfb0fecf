"""Whose the lab is (docker provider): of the folder whose Vagrant made its nodes.

provision/ownership.rb has the same rules for Vagrant, and refuses or replaces.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from lab.config.paths import FOLDER
from lab.errors import LabError, outside

# own; lost: this folder's, but its Vagrant has forgotten it; another's, whose folder is there;
# gone: of a folder that is not there and was not renamed to be this one.
Whose = Literal["own", "lost", "another", "gone"]

STANDING = ("created", "exited", "dead")
# Where Docker does not answer, the nodes themselves have to.
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Machine:
    """A container of the lab's name. known: to this folder's Vagrant."""

    identity: str
    folder: str
    running: bool
    known: bool


def machines(name: str) -> tuple[Machine, ...]:
    """The machines of a lab, running or not; none where Docker does not answer."""
    listing = ("ps", "--all", "--no-trunc", labelled(name))
    found = _docker(*listing, '--format={{.ID}} {{.State}} {{.Label "lab.folder"}}')
    ids = {path.read_text().strip() for path in FOLDER.glob(".vagrant/machines/*/docker/id")}
    lines = (line.split(" ", 2) for line in found.splitlines())
    return tuple(
        Machine(identity, folder, state not in STANDING, identity in ids)
        for identity, state, folder in lines
    )


def labelled(name: str) -> str:
    """What Docker finds a lab's machines and network by, also where no file here knows of them."""
    return f"--filter=label=lab.name={name}"


def whose(machine: Machine, here: Path = FOLDER) -> Whose:
    """Whose a machine is, as seen from a folder."""
    if _same(machine.folder, here):
        return "own" if machine.known else "lost"
    if _there(machine.folder):
        return "another"
    return "own" if machine.known else "gone"


def of_this_folder(name: str) -> tuple[Machine, ...]:
    """The machines of the lab of this name that are this folder's."""
    return tuple(one for one in machines(name) if whose(one) in ("own", "lost"))


def foreign(name: str) -> tuple[Machine, ...]:
    """The machines of the lab of this name that are another folder's."""
    return tuple(one for one in machines(name) if whose(one) in ("another", "gone"))


def require_own(name: str) -> None:
    """Raises LabError, saying whose it is, if another folder has the lab of this name."""
    if found := foreign(name):
        raise LabError(refusal(name, found, since(found)))


def unanswered() -> str:
    """Why Docker does not answer; empty if it does, and where this machine has none."""
    try:
        found = _run("ps", "--quiet")
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return outside(error) or str(error)
    last = found.stderr.strip().splitlines()[-1:]
    return "" if found.returncode == 0 else " ".join(last) or "docker ps failed"


def refusal(name: str, found: tuple[Machine, ...], when: str) -> str:
    """Whose lab it is, whether it runs, and what to do instead of taking it for one's own."""
    folder = found[0].folder
    stands = "runs" if any(machine.running for machine in found) else "is halted"
    if whose(found[0]) == "another":
        where, way = folder, "use it there"
    else:
        where = f"{folder}, which is not there (renamed, or not mounted?),"
        way = "bring that folder back"
    return (
        f"the lab '{name}' belongs to {where} and {stands} since {when}: {way},"
        " or have one of your own here with another LAB_NAME and LAB_SUBNET"
    )


def since(found: tuple[Machine, ...]) -> str:
    """Since when the first of those that run does, or the last of them stands."""
    running = [machine.identity for machine in found if machine.running]
    key, pick = ("StartedAt", min) if running else ("FinishedAt", max)
    asked = running or [machine.identity for machine in found]
    times = _docker("inspect", f"--format={{{{.State.{key}}}}}", *asked).split()
    if not times:
        return "a while"
    # Docker's nanoseconds are more than Python reads.
    moment = datetime.fromisoformat(f"{pick(times)[:19]}+00:00")
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _same(folder: str, here: Path) -> bool:
    """A second work tree may have the .vagrant of the first."""
    return _same_file(folder, here) or _same_file(f"{folder}/.vagrant", here / ".vagrant")


def _same_file(one: str | Path, other: str | Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _there(folder: str) -> bool:
    """A folder that may not be looked into is there. Where one was removed, Docker may leave a
    folder of that name behind when it looks for the login key."""
    try:
        os.stat(f"{folder}/Vagrantfile")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _docker(*arguments: str) -> str:
    try:
        found = _run(*arguments)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("docker", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
