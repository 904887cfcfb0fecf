"""Brings a bundle in: `provision/load-bundle FILE`, where there are no Python tools yet.

`make up` takes from there what it would fetch or build otherwise: the Python tools
(provision/host.sh), the node image (provision/node-image.sh), the builder's cache (seed.py).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from lab.bundle import archive
from lab.bundle.manifest import BOX, BUILDER, MANIFEST, Manifest, Place, here, parse, refusal, text
from lab.config.paths import LOADED
from lab.engine.progress import say
from lab.errors import LabError, outside


def load(path: Path, place: Place, folder: Path = LOADED) -> Manifest:
    """All of a bundle into a folder, in place of what an earlier one has left there.

    Raises LabError, before anything is changed, if it is damaged or does not fit the place.
    """
    say("bundle", f"checking {path}")
    try:
        manifest, begins = archive.checked(path)
        if why := refusal(manifest.place, place):
            raise LabError(why)
    except LabError as error:
        raise LabError(f"{path}: {error}: nothing was changed") from None
    _require_room(path, manifest, folder.parent)
    say("bundle", f"bringing it in{' in place of the former one' if folder.exists() else ''}")
    partial, old = (folder.with_name(f"{folder.name}.{end}") for end in ("partial", "old"))
    # What a killed one has left.
    _keep_former(folder, old)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name, stored in manifest.members.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            with (partial / name).open("wb") as target:
                archive.copy(path, begins[name], name, stored, target)
                target.flush()
                os.fsync(target.fileno())
        # Last: without it there is none.
        (partial / MANIFEST).write_text(text(manifest))
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    finally:
        _keep_former(folder, old)
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _keep_former(folder: Path, old: Path) -> None:
    """Puts the former one back where no other one has taken its place."""
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _require_room(path: Path, manifest: Manifest, where: Path) -> None:
    needed = sum(stored.bytes for stored in manifest.members.values())
    free = shutil.disk_usage(where).free
    if free < needed:
        raise LabError(
            f"{where}: {free // 10**6} MB are free, and {path} takes {needed // 10**6} MB there:"
            " nothing was changed"
        )


def described(folder: Path = LOADED) -> Manifest | None:
    """The manifest of what was brought in; None where nothing was."""
    try:
        return parse((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except LabError as error:
        raise LabError(f"{folder}: {error}: remove it, or bring a bundle in again") from None


def told(manifest: Manifest) -> str:
    """What a user is told of it."""
    members = manifest.members
    kinds = {
        "the builder's cache": BUILDER in members,
        "the node image": any(name.startswith("lab-node-") for name in members),
        "the Python tools": any(name.startswith("wheels/") for name in members),
        "a box": BOX in members,
    }
    size = sum(stored.bytes for stored in members.values())
    held = ", ".join(kind for kind, there in kinds.items() if there)
    return f"{held}: {size // 10**6} MB, made {manifest.made}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("lab: usage: provision/load-bundle FILE", file=sys.stderr)
        return 2
    try:
        manifest = load(Path(arguments[0]), here())
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"lab: {outside(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted: run it again to go on", file=sys.stderr)
        return 130
    say("bundle", f"{told(manifest)}, in {LOADED}: `make up` takes it from there")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
