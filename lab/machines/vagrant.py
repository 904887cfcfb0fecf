"""Runs Vagrant, as the lab wants it run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

from lab.config.paths import FOLDER, REPORTS
from lab.errors import LabError
from lab.machines import failure

# Vagrant dies of a folder with an é where the locale's characters are ASCII's alone.
ENVIRONMENT = {"VAGRANT_NO_COLOR": "1", "LC_ALL": "C.UTF-8"}


def require() -> None:
    """Raises LabError where this machine has no Vagrant."""
    if shutil.which("vagrant") is None:
        raise LabError("vagrant: not found: run `provision/host.sh`, which installs it")


def vagrant(*arguments: str) -> Iterator[str]:
    """Vagrant's output, line by line; all of it also goes to a report.

    Raises LabError with what it says at its end if it fails.
    """
    require()
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"vagrant-{arguments[0]}.log"
    lines: list[str] = []
    with (
        report.open("w") as log,
        subprocess.Popen(
            ("vagrant", *arguments),
            cwd=FOLDER,
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            lines.append(line.rstrip())
            yield lines[-1]
    if process.returncode != 0:
        if lines and lines[-1].startswith("lab: "):
            raise LabError(lines[-1].removeprefix("lab: "))
        raise LabError(
            f"`vagrant {arguments[0]}` failed; all of it is in {report}; its end:\n"
            f"{failure.end_of(lines)}"
        )
