"""When a builder is given a bundle's cache, and that its Docker runs again after packing."""

import hashlib

import pytest

from lab.bundle.builder import at_rest, seed
from lab.bundle.manifest import Manifest, Place, text
from lab.errors import LabError

MANIFEST = Manifest("2026-11-30T20:00:00+00:00", Place("x86_64", "3.11", {}), 7_000_000, {})
IDENTITY = hashlib.sha256(text(MANIFEST).encode()).hexdigest()


class Builder:
    """A node of which only the builder's cache and its unit are told."""

    name = "ubuntu1"

    def __init__(self, seeded=None, free=8_000_000, runs=False):
        self.seeded, self.free, self.runs = seeded, free, runs
        self.asked, self.received = [], b""

    def attempt(self, *argv):
        self.asked.append(" ".join(argv))
        match argv:
            case ("test", "-e", "/var/cache/lab/builder/image"):
                return int(self.seeded is None), "", ""
            case ("cat", "/var/cache/lab/builder/seeded"):
                return int(not self.seeded), f"{self.seeded}\n", ""
            case ("systemctl", "is-active", "--quiet", "lab-builder"):
                return int(not self.runs), "", ""
        raise AssertionError(argv)

    def run(self, *argv):
        self.asked.append(" ".join(argv))
        if argv[0] == "systemctl":
            self.runs = argv[1] == "start"
        return f"Avail\n{self.free}\n"

    def upload(self, parts, *argv):
        self.received = b"".join(parts)
        self.seeded = argv[-1]


@pytest.fixture
def brought(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "manifest.json").write_text(text(MANIFEST))
    (folder / "builder.tar.gz").write_bytes(b"cache" * 100_000)
    return folder


def test_without_a_bundle_nothing_is_asked(tmp_path):
    node = Builder()
    seed(node, tmp_path / "bundle")
    assert node.asked == []


def test_an_empty_builder_is_given_all_of_it_once(brought, capsys):
    node = Builder()
    seed(node, brought)
    assert (node.received, node.seeded) == (b"cache" * 100_000, IDENTITY)
    node.received = b""
    capsys.readouterr()
    seed(node, brought)
    assert (node.received, capsys.readouterr().err) == (b"", "")


@pytest.mark.parametrize("seeded", ["", "another"])
def test_a_builder_keeps_the_cache_that_it_has_and_that_is_said(brought, capsys, seeded):
    node = Builder(seeded=seeded)
    seed(node, brought)
    said = (
        f"ubuntu1   the builder keeps the cache that it has; to have that of {brought} instead:"
        " `vagrant ssh ubuntu1 -c 'sudo systemctl stop lab-builder"
        " && sudo find /var/cache/lab/builder -mindepth 1 -delete'`\n"
    )
    assert (node.received, node.seeded) == (b"", seeded)
    assert capsys.readouterr().err.endswith(said)


def test_a_builder_without_room_is_named_before_anything_is_sent(brought):
    node = Builder(free=6_999_999)
    with pytest.raises(LabError) as refused:
        seed(node, brought)
    assert str(refused.value) == (
        "ubuntu1: 6 MB are free in /var/cache/lab/builder, and the bundle's cache takes 7 MB"
        " there: nothing was brought"
    )
    assert node.received == b""


@pytest.mark.parametrize("runs", [True, False])
def test_a_builder_runs_again_however_the_packing_ended_if_it_ran(runs):
    node = Builder(runs=runs)
    with pytest.raises(KeyboardInterrupt), at_rest(node):
        assert node.runs is False
        raise KeyboardInterrupt
    assert node.runs is runs
