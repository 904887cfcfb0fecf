"""Whether a backup has room on the nodes that it is brought to."""

from __future__ import annotations

from collections.abc import Iterable

from lab.backup.manifest import DUMP, Manifest
from lab.context import Lab
from lab.errors import LabError

DISK = "/var/lib/docker"
# Archives are unpacked, imported and compacted; a dump is compressed about ten times.
ARCHIVES, COMPRESSED = 3, 20


def require_room(lab: Lab, nodes: Iterable[str], manifest: Manifest) -> None:
    """Raises LabError naming a node that has too little."""
    archives = sum(manifest.files[name].bytes for name in manifest.snapshots.values())
    needed = ARCHIVES * archives + COMPRESSED * manifest.files[DUMP].bytes
    for name in nodes:
        said = lab.nodes[name].run("df", "--block-size=1", "--output=avail", DISK)
        free = int(said.split()[-1])
        if free < needed:
            raise LabError(
                f"{name}: {free // 10**6} MB are free in {DISK}, and the backup may take"
                f" {needed // 10**6} MB there: nothing was done"
            )
