"""The builder's cache on its way to and from the builder: its Docker's folder, images and build
steps, layers that they share once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab.bundle.load import described
from lab.bundle.manifest import BUILDER, text
from lab.config.paths import LOADED
from lab.engine.progress import say
from lab.engine.ssh import PART, Node
from lab.engine.waits import work
from lab.errors import LabError

CACHE = "/var/cache/lab/builder"
# Of Docker's folder what the cache is. engine-id: to another engine it would be another's cache,
# and nothing of it would be found. The last one says that there is something.
PARTS = ("engine-id", "overlay2", "buildkit", "image")
# What overlayfs and the kernel know layers' files by; other attributes name one disk's own files.
ATTRIBUTES = tuple(
    f"--xattrs-include={name}"
    for name in (
        "security.capability",
        "trusted.overlay.opaque",
        "trusted.overlay.redirect",
        "trusted.overlay.metacopy",
    )
)
ARCHIVE = ("tar", "--directory", CACHE, "--xattrs", *ATTRIBUTES, "--numeric-owner")
# Docker's note of the disk, which it makes itself.
PACK = (
    *(*ARCHIVE, "--create", "--use-compress-program=gzip -1", "--one-file-system"),
    *("--exclude=overlay2/backingFsBlockDev", *PARTS),
)
# Beside it first, so that a transfer that is cut off leaves nothing that is taken for a cache.
UNPACK = f"""set -e
cd {CACHE}
test ! -e image
rm -rf seeding engine-id overlay2 buildkit
mkdir -m 0700 seeding
tar --directory seeding {" ".join(ARCHIVE[3:])} --extract --gzip
echo "$1" >seeded
mv seeding/engine-id seeding/overlay2 seeding/buildkit .
mv seeding/image .
rmdir seeding"""

EMPTY = f"sudo systemctl stop lab-builder && sudo find {CACHE} -mindepth 1 -delete"


@contextmanager
def at_rest(builder: Node) -> Iterator[None]:
    """The builder's Docker is stopped meanwhile, if it runs."""
    runs = builder.attempt("systemctl", "is-active", "--quiet", "lab-builder")[0] == 0
    try:
        builder.run("systemctl", "stop", "lab-builder")
        yield
    finally:
        if runs:
            builder.run("systemctl", "start", "lab-builder")


def size(builder: Node) -> int:
    """Bytes that the cache takes."""
    said = builder.run("du", "--summarize", "--total", "--block-size=1", *_paths())
    return int(said.split()[-2])


def send(builder: Node, take: Callable[[bytes], object]) -> None:
    """Hands over the archive of a cache at rest, as it comes."""
    builder.download(take, *PACK)


def seed(builder: Node, folder: Path = LOADED) -> None:
    """Brings an empty builder the cache of the bundle that was brought in, if there is one.

    One that has a cache of its own keeps it, and says how to have the bundle's instead.
    """
    manifest = described(folder)
    if manifest is None:
        return
    identity = hashlib.sha256(text(manifest).encode()).hexdigest()
    if builder.attempt("cat", f"{CACHE}/seeded")[1].strip() == identity:
        return
    if builder.attempt("test", "-e", f"{CACHE}/{PARTS[-1]}")[0] == 0:
        say(
            builder.name,
            f"the builder keeps the cache that it has; to have that of {folder} instead:"
            f" `vagrant ssh {builder.name} -c '{EMPTY}'`",
        )
        return
    builder.run("systemctl", "stop", "lab-builder")
    builder.run("install", "-d", "-m", "0710", CACHE)
    free = int(builder.run("df", "--block-size=1", "--output=avail", CACHE).split()[-1])
    if free < manifest.unpacked:
        raise LabError(
            f"{builder.name}: {free // 10**6} MB are free in {CACHE}, and the bundle's cache takes"
            f" {manifest.unpacked // 10**6} MB there: nothing was brought"
        )
    say(builder.name, f"bring the builder's cache of {folder}")
    with work(builder.name, "bring the builder's cache"), (folder / BUILDER).open("rb") as file:
        parts = iter(partial(file.read, PART), b"")
        builder.upload(parts, "bash", "-c", UNPACK, "bash", identity)
    say(builder.name, "the builder's cache is there")


def _paths() -> tuple[str, ...]:
    return tuple(f"{CACHE}/{part}" for part in PARTS)
