"""What `make up` takes from a bundle instead of fetching or building it: tools, node image."""

import json
import shutil
import subprocess
import sys

import pytest

from lab.config.paths import FOLDER
from lab.errors import LabError
from lab.lifecycle import box
from tests.unit.machines.test_host import Machine

VERSION = ".".join(map(str, sys.version_info[:2]))
# Of .venv's Python: what host.sh reads of it, and that it was called.
PYTHON = f"""
case "$*" in
  *"-m venv "*) cp "$0" .venv/bin/python; cp "$0" .venv/bin/shellcheck ;;
  *"import ast"*) echo PIP_CONFIG_FILE=/dev/null ;;
  *"import json"*) exec {sys.executable} "$@" ;;
esac
exit 0
"""


@pytest.fixture
def machine(tmp_path):
    """A clone without Python tools."""
    made = Machine(tmp_path)
    (made.path / ".venv" / "requirements").unlink()
    for tool in ("cmp", "cp"):
        (made.bin / tool).symlink_to(shutil.which(tool))
    made.has("python3", PYTHON)
    return made


def tools(machine):
    """How pip and uv are asked for them."""
    done = subprocess.run(
        (machine.path / "provision" / "host.sh", "environment"),
        env={"PATH": str(machine.bin), "HOME": str(machine.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    asked = machine.asked("python3")
    return [line.split("python3 -m ")[1] for line in asked if " install " in line]


def bring(machine, lock, python=VERSION):
    (machine.path / ".offline" / "wheels").mkdir(parents=True)
    (machine.path / ".offline" / "requirements.lock").write_text(lock)
    manifest = json.dumps({"place": {"python": python}})
    (machine.path / ".offline" / "manifest.json").write_text(manifest)


INDEX = [
    "pip install --quiet --disable-pip-version-check uv==0.13.9",
    "uv --no-config pip install --quiet --python .venv --require-hashes --requirement"
    " requirements.lock",
]


def test_tools_of_a_bundle_are_installed_without_asking_an_index(machine):
    bring(machine, "")
    assert tools(machine) == [
        "pip install --quiet --disable-pip-version-check --no-index --find-links .offline/wheels"
        " uv==0.13.9",
        "uv --no-config pip install --quiet --python .venv --require-hashes --no-index"
        " --find-links .offline/wheels --requirement requirements.lock",
    ]


@pytest.mark.parametrize(
    ("lock", "python"), [("other==1\n", VERSION), ("", "3.9")], ids=["tools", "Python"]
)
def test_tools_that_a_bundle_was_not_made_of_are_fetched(machine, lock, python):
    bring(machine, lock, python)
    assert tools(machine) == INDEX


def test_without_a_bundle_tools_are_fetched(machine):
    assert tools(machine) == INDEX


@pytest.mark.parametrize(
    ("brought", "asked"),
    [
        ("lab-node-1a2b.tar.gz", ["docker load --quiet --input ../.offline/lab-node-1a2b.tar.gz"]),
        (
            "lab-node-3c4d.tar.gz",
            [
                "docker image inspect debian:trixie-slim",
                "docker build --quiet --tag lab-node:1a2b node",
            ],
        ),
    ],
)
def test_the_node_image_of_a_bundle_is_loaded_and_no_other(machine, brought, asked):
    bring(machine, "")
    (machine.path / ".offline" / brought).write_text("")
    machine.has("docker", "exit 0")
    done = subprocess.run(
        (machine.path / "provision" / "node-image.sh", "lab-node:1a2b"),
        env={"PATH": str(machine.bin), "HOME": str(machine.path)},
        check=False,
    )
    assert (done.returncode, machine.asked("docker")) == (0, asked)


@pytest.mark.parametrize(
    ("there", "disk", "named"),
    [("lab.box", False, "lab.box"), ("lab.vmdk", True, "lab.vmdk")],
)
def test_a_box_that_is_there_is_not_made_over(tmp_path, there, disk, named):
    (tmp_path / there).write_text("")
    with pytest.raises(LabError) as refused:
        box.make(emulated=False, disk=disk, folder=tmp_path)
    assert str(refused.value) == f"{tmp_path / named}: is there already: remove it, or rename it"


def test_a_bundle_is_checked_without_the_lab_s_tools(tmp_path):
    file = tmp_path / "no.bundle"
    file.write_bytes(b"PK" * 4096)
    # As a machine has Python that has nothing but it.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {shutil.which("python3")} -S "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        (FOLDER / "provision" / "load-bundle", file.name),
        env={"PATH": f"{python.parent}:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"lab: {file}: it is no bundle, or was cut off or damaged " in done.stderr
    assert done.stderr.count("\n") == 2
