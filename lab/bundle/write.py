"""Writes a bundle of a lab whose builder has built all its images."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lab.bundle import archive, builder
from lab.bundle.manifest import BOX, BUILDER, LOCK, WHEELS, Manifest, here
from lab.config.paths import FOLDER
from lab.config.topology import OWN_HOSTS
from lab.context import Lab
from lab.engine.progress import phase, say
from lab.errors import LabError
from lab.machines import made
from lab.release.images import BASE


def node_image() -> str:
    """The name of the node image that these sources make."""
    program = str(FOLDER / "provision" / "node-digest")
    said = subprocess.run((program, "image"), capture_output=True, text=True, check=True)
    return f"lab-node:{said.stdout.strip()}"


def require(lab: Lab, path: Path, box: Path | None) -> None:
    """Raises LabError, before anything is done, for what would keep the bundle from being written
    or of use."""
    if os.path.lexists(path):
        raise LabError(f"{path}: is there already: remove it, or name another file")
    if not path.parent.is_dir():
        raise LabError(f"{path}: {path.parent} is no folder: make it, or name another")
    if box and not box.is_file():
        raise LabError(f"--box: {box} is no file: `fab box` makes one")
    built_for = lab.builder.run("uname", "-m").strip()
    if built_for != here().architecture:
        raise LabError(
            f"the builder's images are for {built_for}, and this machine's tools for"
            f" {here().architecture}: write the bundle on a machine of the builder's processor"
        )
    provider = made.load(lab.topology.name).provider
    if provider == "docker":
        if not _image_bytes(node_image()):
            raise LabError(f"this machine has no {node_image()}: run `make up`, which makes it")
    elif provider != OWN_HOSTS and box is None:
        raise LabError("--box: this lab's machines come of a box: name its file (`fab box`)")


def _image_bytes(image: str) -> int:
    """0 for one that this machine has not."""
    command = ("docker", "image", "inspect", "--format", "{{.Size}}", image)
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(said.stdout) if said.returncode == 0 else 0


def write(lab: Lab, path: Path, box: Path | None) -> Manifest:
    """The whole bundle; while the builder's cache is read, its Docker is stopped."""
    place = here()
    docker = made.load(lab.topology.name).provider == "docker"
    unpacked = builder.size(lab.builder)
    images = _image_bytes(node_image()) if docker else 0
    _require_room(path, unpacked + images + (box.stat().st_size if box else 0))
    with archive.written(path) as writer:
        with _part("the Python tools"):
            _add_wheels(writer)
        if docker:
            with _part(f"the node image, {images // 10**6} MB before packing"):
                _add_node_image(writer)
        if box:
            with _part(f"the box, {box}"):
                writer.add(BOX, box)
        with (
            _part(f"the builder's cache, {unpacked // 10**6} MB before packing"),
            builder.at_rest(lab.builder),
            writer.member(BUILDER) as sink,
        ):
            builder.send(lab.builder, sink.write)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(moment, place, unpacked, dict(writer.members))
        writer.finish(manifest)
    return manifest


@contextmanager
def _part(what: str) -> Iterator[None]:
    say("bundle", what)
    with phase(what.partition(",")[0]):
        yield


def _require_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise LabError(
            f"{path.parent}: {free // 10**6} MB are free, and the bundle may take"
            f" {needed // 10**6} MB"
        )


def _add_wheels(writer: archive.Writer) -> None:
    writer.add(LOCK, FOLDER / LOCK)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run((str(FOLDER / "provision" / "host.sh"), "wheels", folder), check=True)
        for wheel in sorted(Path(folder).iterdir()):
            writer.add(f"{WHEELS}/{wheel.name}", wheel)


def _add_node_image(writer: archive.Writer) -> None:
    """With the base that it lies upon, if that is there: the builder is lent it."""
    image = node_image()
    saved = (image, BASE) if _image_bytes(BASE) else (image,)
    saving = subprocess.Popen(("docker", "save", *saved), stdout=subprocess.PIPE)
    with (
        saving,
        writer.member(f"{image.replace(':', '-')}.tar.gz") as sink,
        gzip.GzipFile("", "wb", 1, sink, 0) as packed,
    ):
        assert saving.stdout  # noqa: S101
        for part in iter(partial(saving.stdout.read, archive.CHUNK), b""):
            packed.write(part)
    if saving.returncode != 0:
        raise LabError(f"`docker save {image}` ended with {saving.returncode}: see above")
