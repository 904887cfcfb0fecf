"""The disks with the databases' volumes, which may be others than the node's own."""

from __future__ import annotations

from collections.abc import Iterator

from lab.doctor.checks.facts import Facts, rows
from lab.doctor.checks.nodes import on
from lab.doctor.diagnosis import Check, Failure, each
from lab.plan.site import volume_folder

# Service to its name, and the MiB without which it is not started
# (images/mysql/group_agent/room.py, images/cassandra/bin/entrypoint.sh).
NEEDED = {"mysql": ("MySQL", 128), "cassandra": ("Cassandra", 128)}


def checks(facts: Facts, node: str, service: str) -> Iterator[Check]:
    yield Check(name(node, service), full(facts, node, service), (each(f"{node}: disk"),))
    yield Check(small_disk_name(node, service), small_disk(facts, node, service))


def name(node: str, service: str) -> str:
    return f"{node}: {NEEDED[service][0]}'s disk"


def small_disk_name(node: str, service: str) -> str:
    return f"{node}: small disk of {service}"


def _disk(facts: Facts, node: str, service: str) -> tuple[str, int, int] | None:
    """Where the disk with a volume is mounted, its size and what is free of it, in MiB."""
    for folder, target, size, free in rows(facts.answer(node, "volumes").output, 4):
        if folder == volume_folder(service):
            return target, int(size), int(free)
    return None


def full(facts: Facts, node: str, service: str) -> Failure | None:
    disk = _disk(facts, node, service)
    called, needed = NEEDED[service]
    if disk is None or disk[2] >= needed:
        return None
    _, size, free = disk
    look = on(node, f"du -xah {volume_folder(service)} | sort -h | tail")
    return Failure(
        f"disk full on {node}'s {called} volume: {free} MiB of {size} MiB are free,"
        f" and it needs {needed}",
        f"{look}, and remove what fills it; {called} then comes back by itself",
    )


def small_disk(facts: Facts, node: str, service: str) -> Failure | None:
    disk = _disk(facts, node, service)
    if disk is None or disk[0] != volume_folder(service):
        return None
    said = f"a drill's small disk, in memory, lies over {NEEDED[service][0]}'s volume"
    return Failure(said, on(node, f"lab-small-disk take {service}"))
