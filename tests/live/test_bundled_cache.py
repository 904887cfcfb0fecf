"""A builder's cache that was packed on one machine builds an edited image on another one.

There is no network, and the node image's own Docker builds, of which the lab sees nothing.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.bundle.builder import PACK, UNPACK
from lab.bundle.write import node_image
from lab.release.images import BASE

APART = Path(__file__).parent / "support" / "builder-apart"
DOCKERFILE = f"""
FROM {BASE} AS packages
RUN rm -rf /usr/share/zoneinfo && install -D /dev/null /usr/share/zoneinfo/only
RUN rm /etc/issue && cat /proc/sys/kernel/random/uuid >/stamp && ln /stamp /linked
FROM packages
COPY view /view
RUN cat /view /stamp >/seen && ls /usr/share/zoneinfo >>/seen \\
 && stat -c %h /linked >>/seen && ls /etc/issue* >>/seen
"""
BUILD = ("docker", "buildx", "build", "--progress=plain", "--network=host")

pytestmark = [
    pytest.mark.beside,
    pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own takes root"),
]


@pytest.fixture(scope="module")
def layers():
    """The node image's, the uppermost first."""
    form = "{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}"
    asked = ("docker", "image", "inspect", "--format", form, node_image())
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        pytest.skip("this machine has no node image: its lab is of virtual machines")
    return said.stdout.strip()


@pytest.fixture
def machine(layers, tmp_path):
    """Runs a command on one of several machines, each with a cache of its own."""

    def run(name, docker, *command, given=None):
        cache = tmp_path / name
        cache.mkdir(exist_ok=True)
        apart = (APART, layers, cache, tmp_path, docker, *command)
        done = subprocess.run(apart, input=given, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout

    yield run
    for cache in tmp_path.iterdir():
        if cache.is_dir():
            shutil.rmtree(cache)


def steps(report):
    """Of a build's report: step to whether it came out of the cache."""
    numbers = {}
    for line in report.decode().splitlines():
        number, _, said = line.partition(" ")
        if said.startswith("[") and ("RUN" in said or "COPY" in said):
            numbers[number] = [said.partition("] ")[2].split()[0], False]
        elif said == "CACHED":
            numbers[number][1] = True
    return sorted(map(tuple, numbers.values()))


def seen(output):
    """The lines of /seen, the stamp apart."""
    view, stamp, *others = output.decode().split()
    return stamp, [view, *others]


def test_an_edit_is_built_from_a_packed_cache_without_network(machine, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text(DOCKERFILE)
    (source / "view").write_text("first\n")
    base = subprocess.run(("docker", "save", BASE), capture_output=True, check=True).stdout
    load = f"docker load --quiet && {' '.join(BUILD)} --tag one source 2>&1"
    report = machine("first", "docker", "sh", "-c", load, given=base)
    assert [cached for _, cached in steps(report)] == [False] * 4
    show = ("docker", "run", "--rm", "--network=none")
    stamp, first = seen(machine("first", "docker", *show, "one", "cat", "/seen"))
    assert first == ["first", "only", "2", "/etc/issue.net"]

    packed = machine("first", "none", *PACK)
    machine("second", "none", "bash", "-c", UNPACK, "bash", "identity", given=packed)
    assert (tmp_path / "second" / "seeded").read_text() == "identity\n"
    assert not (tmp_path / "second" / "seeding").exists()

    (source / "view").write_text("edited\n")
    report = machine("second", "docker", "sh", "-c", f"{' '.join(BUILD)} --tag two source 2>&1")
    assert steps(report) == [("COPY", False), ("RUN", False), ("RUN", True), ("RUN", True)]
    images = machine("second", "docker", *show, "one", "cat", "/seen")
    assert seen(images) == (stamp, first)
    edited = seen(machine("second", "docker", *show, "two", "cat", "/seen"))
    assert edited == (stamp, ["edited", "only", "2", "/etc/issue.net"])
