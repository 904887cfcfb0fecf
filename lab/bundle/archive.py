"""A bundle as a file: a plain tar, in it what the manifest names, and the manifest last.

tar --list --file FILE; tar --extract --to-stdout --file FILE manifest.json
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lab.bundle.manifest import MANIFEST, MANIFEST_DIGEST, Manifest, Stored, parse, text
from lab.engine.progress import say
from lab.errors import LabError

CHUNK = 1024 * 1024
# Of what is read or written: after so many bytes it is told how far it is.
TOLD = 512 * 1024 * 1024
MOST_MANIFEST = 1024 * 1024
BLOCK = tarfile.BLOCKSIZE


class Writer:
    """Members one after another, of whatever size they turn out to be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members: dict[str, Stored] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[Sink]:
        """What is written in the block becomes a member."""
        header = self._file.tell()
        # Its length is that of the name.
        self._file.write(_header(name, 0))
        sink = Sink(self._file, name)
        yield sink
        self._file.write(bytes(-sink.size % BLOCK))
        end = self._file.tell()
        self._file.seek(header)
        self._file.write(_header(name, sink.size))
        self._file.seek(end)
        self.members[name] = Stored(sink.size, sink.digest.hexdigest())

    def add(self, name: str, path: Path) -> None:
        """A file that is there already."""
        with self.member(name) as sink, path.open("rb") as file:
            while part := file.read(CHUNK):
                sink.write(part)

    def finish(self, manifest: Manifest) -> None:
        content = text(manifest).encode()
        digest = f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode()
        for name, said in ((MANIFEST, content), (MANIFEST_DIGEST, digest)):
            with self.member(name) as sink:
                sink.write(said)
        self._file.write(bytes(2 * BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())


class Sink:
    """Where a member's content goes."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self.size, self.digest = 0, hashlib.sha256()

    def write(self, part: bytes) -> int:
        self._file.write(part)
        self.digest.update(part)
        if (self.size + len(part)) // TOLD > self.size // TOLD:
            say("bundle", f"{self._name}: {(self.size + len(part)) // 10**6} MB")
        self.size += len(part)
        return len(part)

    def flush(self) -> None:
        """The writer sees to that."""


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o644, int(time.time())
    # Which has room for more than 8 GiB and for long names.
    return entry.tobuf(tarfile.GNU_FORMAT)


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """A new file that has its name once all of it is on the disk; if the block fails, none stays.

    Raises LabError if there is one of that name.
    """
    if os.path.lexists(path):
        raise LabError(f"{path}: is there already: remove it, or name another file")
    # A name of its own: what else may be called so is somebody's.
    number, name = tempfile.mkstemp(".part", f"{path.name}.", path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            yield Writer(file)
        Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)


def checked(path: Path) -> tuple[Manifest, dict[str, int]]:
    """The manifest of a bundle of which every byte was read, and where each member begins.

    Raises LabError with what is wrong.
    """
    places = _places(path)
    given = _small(path, places, MANIFEST)
    if _small(path, places, MANIFEST_DIGEST).split()[:1] != [
        hashlib.sha256(given).hexdigest().encode()
    ]:
        raise LabError(f"{MANIFEST} is damaged")
    manifest = parse(given)
    del places[MANIFEST], places[MANIFEST_DIGEST]
    for name in sorted(places.keys() | manifest.members.keys()):
        if name not in manifest.members:
            raise LabError(f"{name!r} does not belong to it")
        if name not in places:
            raise LabError(f"{name} is missing")
        size = manifest.members[name].bytes
        if places[name][1] != size:
            raise LabError(f"{name} has {places[name][1]} bytes instead of {size}")
    begins = {name: begin for name, (begin, _) in places.items()}
    for name in manifest.members:
        copy(path, begins[name], name, manifest.members[name], None)
    return manifest, begins


def copy(path: Path, begin: int, name: str, stored: Stored, target: BinaryIO | None) -> None:
    """Reads a member, and writes it somewhere. Raises LabError if it is not what it should be."""
    digest, left = hashlib.sha256(), stored.bytes
    with path.open("rb") as file:
        file.seek(begin)
        while left and (part := file.read(min(CHUNK, left))):
            digest.update(part)
            left -= len(part)
            if target:
                target.write(part)
    if left or digest.hexdigest() != stored.sha256:
        raise LabError(f"{name} was damaged: its SHA-256 is another one")


def _places(path: Path) -> dict[str, tuple[int, int]]:
    """Member to where its content begins and how many bytes it has."""
    found: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
                if not plain or member.pax_headers or member.name in found:
                    raise LabError(f"{member.name!r} does not belong to it")
                found[member.name] = member.offset_data, member.size
    except tarfile.TarError as error:
        raise LabError(f"it is no bundle, or was cut off or damaged ({error})") from None
    if MANIFEST not in found or MANIFEST_DIGEST not in found:
        raise LabError(f"it is no bundle, or was cut off or damaged (no {MANIFEST} at its end)")
    return found


def _small(path: Path, places: dict[str, tuple[int, int]], name: str) -> bytes:
    begin, size = places[name]
    if size > MOST_MANIFEST:
        raise LabError(f"{name} is damaged")
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(size)
