"""Backups on this machine: writing one, checking one, listing them.

A backup is written into a folder with another name, which gets its own once all of it is on the
disk. Its manifest is written last. Readable by their owner alone: they hold password hashes.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from lab.backup.manifest import MANIFEST, NAME, Manifest, StoredFile, parse, refused
from lab.config.paths import FOLDER
from lab.errors import LabError
from lab.secrets.private import write

# Not below .lab, which `make destroy` empties.
BACKUPS = FOLDER / "backups"
PARTIAL = ".partial"
CHUNK = 1024 * 1024
MEMBER = re.compile(r"[a-z_]+/[A-Za-z0-9_.+-]+")


class Sink(Protocol):
    def write(self, part: bytes, /) -> object: ...


class Draft:
    """A backup that is being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, StoredFile] = {}

    @contextmanager
    def file(self, name: str, *, compressed: bool = False) -> Iterator[Sink]:
        """A file to write to; it is noted with its digest, and on the disk, when the block ends."""
        path = self.folder / name
        with _told(path), open(path, "xb", opener=_private) as file:
            sink = _Hashed(file)
            if compressed:
                with gzip.GzipFile("", "wb", 6, sink, 0) as packed:
                    yield packed
            else:
                yield sink
            file.flush()
            os.fsync(file.fileno())
        self.files[name] = StoredFile(bytes=sink.size, sha256=sink.digest.hexdigest())


class _Hashed:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size, self.digest = file, 0, hashlib.sha256()

    def write(self, part: bytes) -> int:
        # Here, as it may be a connection's own thread that hands the part over.
        with _told(Path(self._file.name)):
            self._file.write(part)
        self.digest.update(part)
        self.size += len(part)
        return len(part)

    def flush(self) -> None:
        """The draft flushes and syncs the file itself."""


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A full disk, above all."""
    try:
        yield
    except OSError as error:
        raise LabError(f"{path}: {error.strerror or error}: no backup was made") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def draft(backups: Path, name: str) -> Iterator[Draft]:
    """A backup to be written; if the block fails, nothing of it stays. `finish` has to end it.

    What killed backups have left is removed first.
    """
    folder = backups / f"{name}{PARTIAL}"
    with _told(folder):
        backups.mkdir(mode=0o700, exist_ok=True)
        for left in backups.glob(f"*{PARTIAL}"):
            shutil.rmtree(left)
        folder.mkdir(mode=0o700)
    try:
        yield Draft(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finish(unfinished: Draft, manifest: Manifest) -> None:
    """The backup is there from now on."""
    path = unfinished.folder / MANIFEST
    with _told(path):
        write(path, manifest.model_dump_json(indent=2) + "\n")
        _sync(path)
        _sync(unfinished.folder)
        unfinished.folder.rename(unfinished.folder.with_name(manifest.name))
        _sync(unfinished.folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def names(backups: Path) -> list[str]:
    """The oldest first; complete or not."""
    return sorted(path.name for path in backups.glob("*") if NAME.fullmatch(path.name))


def chosen(backups: Path, name: str) -> Path:
    """The folder of the backup with this name, without one that of the newest."""
    there = names(backups)
    if not name and not there:
        raise LabError(f"there is no backup in {backups}: `fab backup` makes one")
    wanted = name or there[-1]
    if wanted not in there:
        listed = ", ".join(there) or "none"
        raise LabError(f"--name: {wanted!r} is no backup; there are: {listed}")
    return backups / wanted


def described(folder: Path) -> Manifest:
    """The manifest of a backup whose files are all there, with the sizes that they should have.

    Raises LabError with what is wrong otherwise.
    """
    name = folder.name
    try:
        manifest = parse(name, (folder / MANIFEST).read_text())
    except (OSError, UnicodeDecodeError):
        raise refused(name, f"it was not finished: {MANIFEST} is missing or unreadable") from None
    sizes = {path.name: _size(path) for path in folder.iterdir() if path.name != MANIFEST}
    for file in sorted(sizes.keys() | manifest.files.keys()):
        if file not in manifest.files:
            raise refused(name, f"{file} does not belong to it")
        wanted, size = manifest.files[file].bytes, sizes.get(file)
        if size is None:
            raise refused(name, f"{file} is missing")
        if size != wanted:
            raise refused(name, f"{file} has {size} bytes instead of {wanted}")
    return manifest


def _size(path: Path) -> int:
    """-1 for what is no plain file."""
    return path.stat().st_size if path.is_file() and not path.is_symlink() else -1


def checked(folder: Path) -> Manifest:
    """Like described, with every byte read. Raises LabError before anything else is done."""
    manifest = described(folder)
    for name, file in manifest.files.items():
        if _digest(folder / name) != file.sha256:
            raise refused(folder.name, f"{name} was damaged: its SHA-256 is another one")
    for name in manifest.snapshots.values():
        _check_members(folder, name)
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_members(folder: Path, name: str) -> None:
    """Plain files in a folder per table, as a backup writes them: nothing leads elsewhere."""
    try:
        with tarfile.open(folder / name, "r:") as archive:
            for member in archive:
                if not (member.isreg() and MEMBER.fullmatch(member.name)):
                    raise refused(folder.name, f"{name} holds {member.name!r}, which is no table's")
    except tarfile.TarError as error:
        raise refused(folder.name, f"{name} was damaged: {error}") from None


def tables_in(archive: Path) -> set[str]:
    """The tables of which a node's archive holds data: of an empty one it holds the schema only."""
    with tarfile.open(archive, "r:") as members:
        return {m.name.split("/")[0] for m in members if m.name.endswith("-Data.db")}


def digests(path: Path) -> frozenset[str]:
    """The rows that a file of them lists."""
    with gzip.open(path, "rt") as file:
        return frozenset(file.read().splitlines())


def parts(path: Path) -> Iterator[bytes]:
    """A file's content in order."""
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            yield part


def table(backups: Path) -> str:
    """All backups, newest first: what they hold, and whether their files are all there."""
    lines = [f"{'backup':<16} {'lab':<8} {'release':<24} {'MB':>7} {'rows':>8} {'posts':>8}  state"]
    for name in reversed(names(backups)):
        try:
            kept = described(backups / name)
        except LabError as error:
            lines.append(f"{name:<16} {str(error).split(': ')[1]}")
            continue
        rows = sum(table.rows for table in kept.tables.values())
        lines.append(
            f"{name:<16} {kept.lab:<8} {kept.release:<24} {kept.size / 1e6:>7.1f} {rows:>8}"
            f" {kept.posts.get('posts', 0):>8}  complete"
        )
    return "\n".join(lines)
