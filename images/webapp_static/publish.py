"""Lays this image's static files into the shared volume, from which nginx serves them, beside those
of earlier sets.

publish.py SET [SERVING ...]: the set's name, under which Django finds its manifest; the sets whose
files pages name now, which stay however many were laid since. Prints what one of those has a file
for and this one has not, a name each line: pages that use such a name must not get this set.
"""

import fcntl
import filecmp
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path("/static_root")
SHARED = Path("/shared")
MANIFEST = "staticfiles.json"
SETS_KEPT = 5


def files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def publish(source: Path, target: Path) -> None:
    """A reader sees the old file or the new one, never half of one; an unchanged one stays."""
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy2(source, fresh)
    fresh.replace(target)


def note(path: Path, names: list[Path]) -> None:
    """Writes down what belongs to a set, which is the newest one then."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text("\n".join(map(str, names)))
    fresh.replace(path)


def prune(target: Path, lists: Path, manifests: Path, serving: tuple[str, ...]) -> None:
    """Removes the files of all but the newest sets: pages that browsers still show name them."""
    noted = (path for path in lists.iterdir() if not path.name.startswith("."))
    newest_first = sorted(noted, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    old = [path for path in newest_first[SETS_KEPT:] if path.name not in serving]
    for path in old:
        (manifests / f"{path.name}.json").unlink(missing_ok=True)
        path.unlink()
    kept = (path for path in newest_first if path not in old)
    wanted = {name for path in kept for name in path.read_text().split("\n")}
    for file in files(target):
        if str(file) not in wanted:
            (target / file).unlink()


def lacking(manifest: Path, serving: list[Path]) -> list[str]:
    """What the manifests that serve have a file for, and another one has not."""
    wanted = {name for path in serving if path.exists() for name in named(path)}
    return sorted(wanted - named(manifest))


def named(manifest: Path) -> set[str]:
    return set(json.loads(manifest.read_text())["paths"])


@contextmanager
def alone(lists: Path) -> Iterator[None]:
    """Nobody else publishes into this volume meanwhile."""
    lists.mkdir(parents=True, exist_ok=True)
    with (lists / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(name: str, *serving: str, source: Path = SOURCE, shared: Path = SHARED) -> list[str]:
    target, lists, manifests = shared / "static_root", shared / "sets", shared / "manifests"
    published = [path for path in files(source) if str(path) != MANIFEST]
    with alone(lists):
        for file in published:
            publish(source / file, target / file)
        # What served until now is what browsers still show for longest.
        for path in (lists / one for one in serving):
            if path.exists():
                os.utime(path)
        note(lists / name, published)
        # Last: it says that everything it names is there.
        publish(source / MANIFEST, manifests / f"{name}.json")
        prune(target, lists, manifests, serving)
    return lacking(source / MANIFEST, [manifests / f"{one}.json" for one in serving])


if __name__ == "__main__":
    for lacked in main(*sys.argv[1:]):
        print(lacked)
