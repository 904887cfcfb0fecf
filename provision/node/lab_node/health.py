"""Containers' health as it is now: Docker asks them every 30 seconds, and its word is as old."""

from __future__ import annotations

import subprocess
import time

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Seconds, as the images' HEALTHCHECKs have it. Inside, too: what is killed out here goes on there.
TIMEOUT = 3


def ill(containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that run, and that Docker calls unhealthy: they were, and may be well again."""
    return [
        one
        for one in containers
        if one["State"]["Status"] == "running"
        and one["State"].get("Health", {}).get("Status") == "unhealthy"
    ]


def question(container: dict[str, Any]) -> list[str]:
    """The command that asks it what Docker does."""
    kind, *test = container["Config"]["Healthcheck"]["Test"]
    if kind == "CMD-SHELL":
        test = ["/bin/sh", "-c", *test]
    name = container["Name"].lstrip("/")
    return ["docker", "exec", name, "timeout", "--signal=KILL", str(TIMEOUT), *test]


def mend(container: dict[str, Any], status: int | None) -> None:
    """Has the container healthy, if that command's exit status says so."""
    if status == 0:
        container["State"]["Health"]["Status"] = "healthy"


def ask_again(containers: list[dict[str, Any]]) -> None:
    """All that are ill, at the same time. Whoever does not answer in time stays it."""
    deadline = time.monotonic() + TIMEOUT
    quiet = subprocess.DEVNULL
    asked = [
        (one, subprocess.Popen(question(one), stdin=quiet, stdout=quiet, stderr=quiet))
        for one in ill(containers)
    ]
    for one, process in asked:
        try:
            mend(one, process.wait(max(0.0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
