"""Brings the image's static files into the shared volume, from which nginx serves them.

Docker fills a named volume from the image only while it is empty: for the first release, that is.
"""

import fcntl
import filecmp
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path("/app/static_root")
TARGET = Path("/shared/static_root")
MANIFEST = "staticfiles.json"
# Each published set of files is listed in a file of its own; files that no list names any more go.
LISTS = Path("/shared/sets")
SETS_KEPT = 5


def files(source: Path) -> list[Path]:
    """The manifest comes last: it says that everything it names is there."""
    found = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: (path.name.startswith(MANIFEST), path))


def publish(source: Path, target: Path) -> None:
    """A reader sees the old file or the new one, never half of one; an unchanged one stays."""
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy2(source, fresh)
    fresh.replace(target)


def note(names: list[str], lists: Path) -> None:
    """Makes this set the newest one."""
    text = "\n".join(names)
    path = lists / hashlib.sha256(text.encode()).hexdigest()[:16]
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)


def prune(target: Path, lists: Path, kept: int) -> None:
    """Removes the files of all but the newest sets: pages that browsers still show name them."""
    noted = (path for path in lists.iterdir() if not path.name.startswith("."))
    newest_first = sorted(noted, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    wanted = {name for path in newest_first[:kept] for name in path.read_text().split("\n")}
    for path in newest_first[kept:]:
        path.unlink()
    for file in files(target):
        if str(file) not in wanted:
            (target / file).unlink()


@contextmanager
def alone(lists: Path) -> Iterator[None]:
    """Nobody else publishes into this volume meanwhile."""
    lists.mkdir(parents=True, exist_ok=True)
    with (lists / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(*, serve: bool, source: Path = SOURCE, target: Path = TARGET, lists: Path = LISTS) -> None:
    """serve: this set is what pages name from now on; else it may be soon, and nothing goes."""
    published = files(source)
    with alone(lists):
        if target.exists() and not any(lists.glob("[!.]*")):
            # What an image laid there that wrote no lists.
            note([str(file) for file in files(target)], lists)
        for file in published:
            publish(source / file, target / file)
        if serve:
            note([str(file) for file in published], lists)
            prune(target, lists, SETS_KEPT)


if __name__ == "__main__":
    main(serve=sys.argv[1:] != ["ahead"])
