"""Prints what the lab has on this node as one JSON object.

usage: lab-observe [--healthy SECONDS NAME,NAME...] [FILE]...   (FILE: whose digest to tell)

--healthy: once these containers are healthy, and after so many seconds at the latest. To be asked
again and again takes a node twenty times what looking here does.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
import time

from lab_node import health
from lab_node.docker import SOCKET, Docker

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOOK_SECONDS = 0.15

# Each of them belongs to one program or one wiring, and goes with it.
FOLDERS = (
    "/etc/lab/secrets/*",
    "/etc/lab/haproxy",
    "/etc/lab/keepalived",
    "/etc/lab/article",
    "/etc/lab/release",
    "/etc/lab/stack",
    "/home/dock/static_files",
)
# As lab/plan/plans.py has it: a host of one's own may trust other registries.
TRUST_MARKS = "/etc/docker/certs.d/*/lab"


def containers(docker: Docker) -> list[dict[str, Any]]:
    found = docker.containers()
    health.ask_again(found)
    return found


def wait_healthy(docker: Docker, names: list[str], seconds: float) -> None:
    """Returns at once where one of them is not there, or does not run."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        listed = docker.ask("/containers/json?all=1", label="lab.service")
        status = {one["Names"][0].lstrip("/"): one["Status"] for one in listed}
        # As `docker ps` has it: Up 3 seconds (health: starting)
        found = [status.get(name, "") for name in names]
        if not all(text.startswith("Up ") for text in found):
            return
        # Whom Docker calls unhealthy is asked again at once (health.py).
        if not any("(health: starting)" in text for text in found):
            return
        time.sleep(LOOK_SECONDS)


def stack(docker: Docker) -> dict[str, str]:
    # Managers alone can tell.
    services = docker.ask("/services?status=true") or []
    return {
        one["Spec"]["Name"]: "{RunningTasks}/{DesiredTasks}".format(**one["ServiceStatus"])
        for one in services
    }


def volumes(docker: Docker, **filters: str) -> list[str]:
    return [one["Name"] for one in docker.ask("/volumes", **filters)["Volumes"] or []]


def tags(docker: Docker) -> list[str]:
    return [tag for image in docker.ask("/images/json") for tag in image["RepoTags"] or []]


def folders() -> list[str]:
    """Those that hold something of the lab."""
    found = [folder for pattern in FOLDERS for folder in glob.glob(pattern)]
    return found + [os.path.dirname(mark) for mark in glob.glob(TRUST_MARKS)]


def digests(paths: list[str]) -> dict[str, str]:
    """Of those of the files that are there."""
    found = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                found[path] = hashlib.sha256(file.read()).hexdigest()
        except FileNotFoundError:
            continue
    return found


def main() -> None:
    docker = Docker()
    files = sys.argv[1:]
    try:
        if files[:1] == ["--healthy"]:
            _, seconds, names, *files = files
            wait_healthy(docker, names.split(","), float(seconds))
        found = {
            "containers": containers(docker),
            "stack": stack(docker),
            "networks": [one["Name"] for one in docker.ask("/networks", label="lab.service")],
            "volumes": volumes(docker),
            "disposable_volumes": volumes(docker, label="lab.disposable=yes"),
            "images": tags(docker),
            "folders": folders(),
            "files": digests(files),
        }
    except OSError as error:
        sys.exit(f"Docker does not answer at {SOCKET}: {error}")
    json.dump(found, sys.stdout)
