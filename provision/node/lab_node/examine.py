"""Runs many commands on this node at the same time; prints what came of them as one JSON object.

Its one argument: {"commands": {NAME: ARGV}, "inside": {SERVICE: {NAME: ARGV}}, "seconds": NUMBER,
"all_seconds": NUMBER}. What is inside is for each running container of a service, whose name takes
the place of CONTAINER in ARGV. No command has more than the seconds and all together no more than
all_seconds: whatever hangs is killed, and the rest is told. An answer is [status, or null if it was
killed, output, errors].
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from lab_node import health

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INSPECT = (
    "docker ps --all --quiet --filter label=lab.service | xargs --no-run-if-empty docker inspect"
)

Answer = tuple[int | None, str, str]


def answer(argv: list[str], seconds: float, deadline: float) -> Answer:
    """deadline: by the monotonic clock, in seconds."""
    limit = min(seconds, deadline - time.monotonic())
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return 127, "", str(error)
    try:
        output, errors = process.communicate(timeout=max(0.1, limit))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, *process.communicate()
    return process.returncode, output, errors


def inspected(said: Answer) -> list[dict[str, Any]]:
    # One that is gone by now makes inspect fail; the others are on its standard output even so.
    status, output, _ = said
    found: list[dict[str, Any]] = json.loads(output or "[]") if status is not None else []
    return found


def running(found: list[dict[str, Any]], service: str) -> list[str]:
    return [
        one["Name"].lstrip("/")
        for one in found
        if one["Config"]["Labels"]["lab.service"] == service and one["State"]["Status"] == "running"
    ]


def in_container(argv: list[str], container: str) -> list[str]:
    return [container if part == "CONTAINER" else part for part in argv]


def main() -> None:
    asked = json.loads(sys.argv[1])
    allowed = asked["seconds"], time.monotonic() + asked["all_seconds"]
    with ThreadPoolExecutor(max_workers=64) as pool:
        commands = {
            name: pool.submit(answer, argv, *allowed) for name, argv in asked["commands"].items()
        }
        docker = answer(["bash", "-o", "pipefail", "-c", INSPECT], *allowed)
        found = inspected(docker)
        again = [
            (one, pool.submit(answer, health.question(one), *allowed)) for one in health.ill(found)
        ]
        inside = {
            (container, name): pool.submit(answer, in_container(argv, container), *allowed)
            for service, probes in asked["inside"].items()
            for container in running(found, service)
            for name, argv in probes.items()
        }
        for one, future in again:
            health.mend(one, future.result()[0])
        told = {
            "docker": [0 if found else docker[0], "", docker[2]],
            "containers": found,
            "answers": {name: future.result() for name, future in commands.items()},
            "inside": [[*key, future.result()] for key, future in inside.items()],
        }
    json.dump({"time": time.time(), **told}, sys.stdout)
