"""A bundle is whole and of this place, or refused before anything is changed."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab.bundle import archive, load
from lab.bundle.manifest import Manifest, Place
from lab.errors import LabError

PLACE = Place("x86_64", "3.11", {"requirements.lock": "1"})
# Longer than a tar's header has room for.
WHEEL = f"wheels/{'long_name-' * 12}1.0-py3-none-any.whl"
MEMBERS = {"requirements.lock": b"lock\n", WHEEL: b"wheel" * 200, "builder.tar.gz": b"b" * 5000}


def write(path, members=MEMBERS, place=PLACE, known=None):
    """A bundle of members; known: those that its manifest names, if others."""
    with archive.written(path) as writer:
        for name, content in members.items():
            with writer.member(name) as sink:
                sink.write(content[:3])
                sink.write(content[3:])
        stored = writer.members if known is None else known
        writer.finish(Manifest("2026-11-30T20:00:00+00:00", place, 7, dict(stored)))
    return path


@pytest.fixture
def bundle(tmp_path):
    return write(tmp_path / "lab.bundle")


@pytest.fixture
def brought(tmp_path):
    """A folder in which an earlier bundle was laid."""
    folder = tmp_path / "clone" / ".offline"
    folder.mkdir(parents=True)
    (folder / "earlier").write_text("")
    return folder


def laid(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def test_what_was_written_is_brought_in_in_place_of_the_former(bundle, brought):
    manifest = load.load(bundle, PLACE, brought)
    assert laid(brought) == MEMBERS
    assert load.described(brought) == manifest
    assert os.listdir(brought.parent) == [".offline"]


def test_any_tar_reads_it(bundle, tmp_path):
    listed = subprocess.run(("tar", "--list", "--file", bundle), capture_output=True, check=True)
    names = [*MEMBERS, "manifest.json", "manifest.sha256"]
    assert listed.stdout.decode().split() == names
    shown = ("tar", "--extract", "--to-stdout", "--file", bundle, WHEEL)
    assert subprocess.run(shown, capture_output=True, check=True).stdout == MEMBERS[WHEEL]
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(("tar", "--extract", "--file", bundle), cwd=unpacked, check=True)
    subprocess.run(("sha256sum", "--quiet", "--check", "manifest.sha256"), cwd=unpacked, check=True)


def flipped(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def begin(path, name):
    with tarfile.open(path) as found:
        return found.getmember(name).offset_data


def rewritten(path, *more):
    """The same members, and then others: pairs of a header and its content."""
    with tarfile.open(path) as found:
        kept = [(one, found.extractfile(one).read()) for one in found]
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as changed:
        for entry, content in (*kept, *more):
            changed.addfile(entry, io.BytesIO(content))


def entry(name, size=0, kind=tarfile.REGTYPE, link=""):
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, link
    return made


def cut(bytes_left):
    return lambda path: os.truncate(path, bytes_left(path.stat().st_size))


CUT = "it is no bundle, or was cut off or damaged "
DAMAGED = {
    "empty": (cut(lambda _: 0), CUT),
    "no tar": (lambda path: path.write_bytes(b"PK" * 4096), CUT),
    "cut off in a member": (cut(lambda _: 2000), CUT),
    "cut off between two": (cut(lambda _: 1024), CUT),
    "cut off before the manifest": (cut(lambda size: size - 4096), CUT),
    "a bit of the first header": (lambda path: flipped(path, 3), CUT),
    "a bit of a later header": (lambda path: flipped(path, 1024 + 3), CUT),
    "a bit of a member": (
        lambda path: flipped(path, begin(path, "builder.tar.gz") + 4999),
        "builder.tar.gz was damaged: its SHA-256 is another one",
    ),
    "a bit of the manifest": (
        lambda path: flipped(path, begin(path, "manifest.json") + 30),
        "manifest.json is damaged",
    ),
    "a bit of its digest": (
        lambda path: flipped(path, begin(path, "manifest.sha256")),
        "manifest.json is damaged",
    ),
    "one member more": (
        lambda path: rewritten(path, (entry("more", 1), b"x")),
        "'more' does not belong to it",
    ),
    "one twice": (
        lambda path: rewritten(path, (entry("builder.tar.gz", 1), b"x")),
        "'builder.tar.gz' does not belong to it",
    ),
    "one that leads out": (
        lambda path: rewritten(path, (entry("../../x", 1), b"x")),
        "'../../x' does not belong to it",
    ),
    "one of the whole path": (
        lambda path: rewritten(path, (entry("/etc/x", 1), b"x")),
        "'/etc/x' does not belong to it",
    ),
    "a link": (
        lambda path: rewritten(path, (entry("wheels", kind=tarfile.SYMTYPE, link="/etc"), b"")),
        "'wheels' does not belong to it",
    ),
    "a folder": (
        lambda path: rewritten(path, (entry("wheels", kind=tarfile.DIRTYPE), b"")),
        "'wheels' does not belong to it",
    ),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_bundle_is_refused_before_anything_is_changed(bundle, brought, damage, why):
    damage(bundle)
    with pytest.raises(LabError) as refused:
        load.load(bundle, PLACE, brought)
    said = str(refused.value)
    assert said.startswith(f"{bundle}: {why}") and said.endswith(": nothing was changed")
    assert "\n" not in said
    assert laid(brought) == {"earlier": b""}
    assert os.listdir(brought.parent) == [".offline"]


def test_a_member_that_its_manifest_leads_out_of_the_folder_is_refused(tmp_path, brought):
    path = write(tmp_path / "lab.bundle", members={"../../x": b"x"})
    with pytest.raises(LabError, match="manifest.json is damaged at '../../x': nothing was"):
        load.load(path, PLACE, brought)


def test_a_member_that_is_missing_is_named(tmp_path, brought):
    whole = write(tmp_path / "whole")
    manifest, _ = archive.checked(whole)
    fewer = {"requirements.lock": MEMBERS["requirements.lock"]}
    path = write(tmp_path / "lab.bundle", members=fewer, known=manifest.members)
    with pytest.raises(LabError, match="builder.tar.gz is missing: nothing was changed"):
        load.load(path, PLACE, brought)


def test_one_for_another_processor_is_refused_before_anything_is_changed(bundle, brought):
    with pytest.raises(LabError) as refused:
        load.load(bundle, Place("aarch64", "3.11", PLACE.sources), brought)
    assert str(refused.value) == (
        f"{bundle}: it is for x86_64, and this machine is aarch64: nothing was changed"
    )
    assert laid(brought) == {"earlier": b""}


def test_where_there_is_no_room_nothing_is_changed(bundle, brought, monkeypatch):
    full = shutil.disk_usage(bundle.parent)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(LabError) as refused:
        load.load(bundle, PLACE, brought)
    assert str(refused.value) == (
        f"{brought.parent}: 0 MB are free, and {bundle} takes 0 MB there: nothing was changed"
    )
    assert laid(brought) == {"earlier": b""}


def test_what_a_killed_load_has_left_goes_with_the_next(bundle, brought):
    for name in (".offline.partial", ".offline.old"):
        (brought.parent / name).mkdir()
        (brought.parent / name / "left").write_text("")
    load.load(bundle, PLACE, brought)
    assert os.listdir(brought.parent) == [".offline"]


@pytest.mark.parametrize("there", [True, False])
def test_one_that_can_t_take_its_place_leaves_the_former(bundle, brought, monkeypatch, there):
    if not there:
        brought.rename(brought.with_name(".offline.old"))
    renamed = Path.rename

    def rename(path, to):
        if path.name == ".offline.partial":
            raise KeyboardInterrupt
        return renamed(path, to)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        load.load(bundle, PLACE, brought)
    assert laid(brought) == {"earlier": b""}
    assert os.listdir(brought.parent) == [".offline"]


def test_what_is_beside_a_bundle_and_called_like_a_part_of_it_stays(tmp_path):
    (tmp_path / "lab.bundle.part").write_text("somebody's")
    write(tmp_path / "lab.bundle")
    assert (tmp_path / "lab.bundle.part").read_text() == "somebody's"


def test_an_interrupted_load_leaves_what_was_there(bundle, brought, monkeypatch):
    copied = archive.copy

    def interrupted(path, begins, name, stored, target):
        copied(path, begins, name, stored, target)
        if target and name == WHEEL:
            raise KeyboardInterrupt

    monkeypatch.setattr(archive, "copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load.load(bundle, PLACE, brought)
    assert laid(brought) == {"earlier": b""}
    assert os.listdir(brought.parent) == [".offline"]


def test_a_file_that_is_there_is_not_written_over(bundle):
    before = bundle.read_bytes()
    with pytest.raises(LabError) as refused:
        write(bundle)
    said = f"{bundle}: is there already: remove it, or name another file"
    assert (str(refused.value), bundle.read_bytes()) == (said, before)


def test_of_one_that_was_not_finished_nothing_stays(tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        archive.written(tmp_path / "lab.bundle") as writer,
        writer.member("builder.tar.gz") as sink,
    ):
        sink.write(b"some")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_damaged_manifest_of_what_was_brought_in_says_what_to_do(brought):
    (brought / "manifest.json").write_text("{")
    with pytest.raises(LabError) as refused:
        load.described(brought)
    assert str(refused.value) == (
        f"{brought}: manifest.json is damaged: remove it, or bring a bundle in again"
    )
