"""Brings the image's static files into the shared volume, from which nginx serves them.

Docker fills a named volume from the image only while it is empty: for the first release, that is.
"""

import filecmp
import os
import shutil
from pathlib import Path

SOURCE = Path("/app/static_root")
TARGET = Path("/shared/static_root")
MANIFEST = "staticfiles.json"


def files() -> list[Path]:
    """The manifest comes last: it says that everything it names is there."""
    found = (path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: (path.name.startswith(MANIFEST), path))


def publish(file: Path) -> None:
    """A reader sees the old file or the new one, never half of one; an unchanged one stays."""
    source, target = SOURCE / file, TARGET / file
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy2(source, fresh)
    fresh.replace(target)


def main() -> None:
    # Files of earlier releases stay: pages that browsers still show name them with their hashes.
    for file in files():
        publish(file)


if __name__ == "__main__":
    main()
