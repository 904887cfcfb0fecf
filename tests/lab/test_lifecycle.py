"""Boot, halt, power cut, and other labs on the same machine. Long: only `make test-all` runs it."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lab.tasks.status import status
from lab.topology import FOLDER
from tests.conftest import TOPOLOGY
from tests.lab.web import wait_ready

pytestmark = pytest.mark.long
SECONDS = 240


def vagrant(*arguments, folder=FOLDER, **environment):
    done = subprocess.run(
        ("vagrant", *arguments),
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def wait_all_well(lab):
    lab.reconnect()
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = status(lab)
        if found.healthy:
            break
        time.sleep(1)
    assert found.troubles() == []
    for service in TOPOLOGY.web:
        wait_ready(TOPOLOGY.address(service.nginx))
    wait_ready(TOPOLOGY.virtual_address)


def test_everything_comes_back_by_itself_after_halt_and_up(running):
    assert vagrant("halt")[0] == 0
    assert vagrant("up")[0] == 0
    wait_all_well(running)


def test_everything_comes_back_after_docker_was_killed_and_started_again(running):
    if Path("/run/systemd/system").exists():
        pytest.skip("systemd starts this machine's Docker, not the lab (README, What was run)")
    # Not by name: the nodes' own daemons are processes of this machine too.
    os.kill(int(Path("/var/run/docker.pid").read_text()), signal.SIGKILL)
    subprocess.run((FOLDER / "provision" / "host.sh",), check=True)
    wait_all_well(running)


@pytest.fixture
def second_clone(tmp_path):
    """This project in another folder, as a second clone would have it."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".lab", ".vagrant", ".venv", "__pycache__")
    shutil.copytree(FOLDER, clone, ignore=ignored)
    yield clone
    vagrant("destroy", "--force", folder=clone, LAB_NAME="second", LAB_SUBNET="192.168.77.0/24")


def test_a_second_lab_runs_beside_this_one_and_another_folder_s_is_replaced(
    second_clone, running, tmp_path
):
    own = {"LAB_NAME": "second", "LAB_SUBNET": "192.168.77.0/24"}
    assert vagrant("up", "ubuntu4", folder=second_clone, **own)[0] == 0
    third = tmp_path / "third"
    shutil.copytree(second_clone, third, ignore=shutil.ignore_patterns(".lab", ".vagrant"))
    ended, said = vagrant("up", "ubuntu4", folder=third, **own)
    assert ended == 0, said
    assert f"replacing the lab 'second' left by {second_clone} (1 nodes)" in said
    assert status(running).healthy
    assert vagrant("destroy", "--force", folder=third, **own)[0] == 0


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"LAB_NAME": "second", "LAB_SUBNET": str(TOPOLOGY.subnet)},
            f"LAB_SUBNET {TOPOLOGY.subnet} overlaps {TOPOLOGY.subnet}"
            f" of Docker's network '{TOPOLOGY.name}'",
        ),
        ({"LAB_NAME": "second", "LAB_SUBNET": "192.0.2.0/24"}, "overlaps a route of this machine"),
        ({"DOCKER_HOST": "unix:///nowhere.sock"}, "no Docker engine answers"),
    ],
    ids=["another lab's subnet", "the machine's own subnet", "no Docker"],
)
def test_what_stands_in_the_way_is_one_line_before_anything_is_touched(
    second_clone, environment, said
):
    ended, output = vagrant("up", folder=second_clone, **environment)
    assert ended != 0
    lines = [line for line in output.splitlines() if line.startswith("lab: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert not (second_clone / ".lab").exists() or not list((second_clone / ".vagrant").rglob("id"))
