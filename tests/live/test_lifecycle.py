"""Boot, halt, power cut, and other labs on the same machine. Long: only `make test-all` runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from lab.config.paths import FOLDER
from lab.doctor.status import status
from lab.visitor.client import wait_ready
from tests.conftest import TOPOLOGY
from tests.live.support.second_lab import cloned, docker, fab, free_subnet, vagrant

pytestmark = pytest.mark.long
SECONDS = 240

# The lab beside this one, which is no other test run's, and the one of its nodes that is booted.
SECOND = f"second-{os.getpid()}"
NODE = TOPOLOGY.names[-1]
# A network that no machine has a route to but for the test's own.
OTHERS = "172.30.77.0/24"


def machine(folder):
    """What the booted node of the lab of a folder is called on this machine."""
    written = json.loads((folder / ".lab" / "machines.json").read_text())
    return written["machines"][NODE]["name"]


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


@pytest.fixture(scope="module")
def second():
    """Name and subnet of a lab beside this one."""
    return {"LAB_NAME": SECOND, "LAB_SUBNET": free_subnet()}


@pytest.fixture
def clone(tmp_path):
    """This project in another folder, as a second clone would have it."""
    return cloned(FOLDER, tmp_path / "someone's (second) clone")


@pytest.fixture
def second_clone(clone, second):
    """The same, in which a lab may be booted."""
    yield clone
    vagrant("destroy", "--force", folder=clone, **second)


def test_a_second_lab_runs_beside_this_one_and_is_replaced_if_told_or_left_behind(
    second_clone, second, running, tmp_path
):
    assert vagrant("up", NODE, folder=second_clone, **second)[0] == 0
    third = cloned(second_clone, tmp_path / "third")
    replaced(third, second_clone, second | {"LAB_REPLACE": "yes"})
    shutil.rmtree(third)
    docker("kill", machine(second_clone))
    replaced(second_clone, third, second)
    assert status(running).healthy


def replaced(by, old, environment):
    ended, said = vagrant("up", NODE, folder=by, **environment)
    assert ended == 0, said
    assert f"replacing the lab '{SECOND}' of {old} (1 nodes)" in said


def test_a_folder_that_was_renamed_keeps_its_lab(second_clone, second, tmp_path):
    assert vagrant("up", NODE, folder=second_clone, **second)[0] == 0
    name = machine(second_clone)
    (node,) = docker("inspect", "--format", "{{.Id}}", name)
    renamed = second_clone.rename(tmp_path / "renamed")
    try:
        assert vagrant("up", NODE, folder=renamed, **second)[0] == 0
        docker("kill", node)
        ended, said = vagrant("up", NODE, folder=renamed, **second)
        assert (
            ended,
            f"look for their login key there: bring the folder back, or `ln -s {renamed}" in said,
        ) == (1, True)
        second_clone.symlink_to(renamed)
        assert vagrant("up", NODE, folder=renamed, **second)[0] == 0
        assert docker("ps", "--quiet", "--no-trunc", f"--filter=name={name}") == [node]
    finally:
        second_clone.unlink(missing_ok=True)
        renamed.rename(second_clone)


@pytest.fixture
def made_by(second):
    """Makes a container that bears the second lab's name, of some folder; removes it afterwards."""
    made = []

    def make(folder, *, runs):
        (tag,) = docker_tag()
        labels = {"lab.name": SECOND, "lab.folder": folder, "lab.subnet": second["LAB_SUBNET"]}
        (node,) = docker(
            *("run", "--detach", "--network=none", "--entrypoint=sleep"),
            *(f"--label={key}={value}" for key, value in labels.items()),
            *(f"lab-node:{tag}", "infinity"),
        )
        made.append(node)
        if not runs:
            docker("kill", node)
        return node

    yield make
    docker("rm", "--force", *made)


def docker_tag():
    command = (FOLDER / "provision" / "node-digest", "image")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("made", "whose"),
    [
        ((FOLDER, True), f"belongs to {FOLDER}, and runs since 20"),
        ((FOLDER, False), f"belongs to {FOLDER}, and is halted since 20"),
        (
            ("/no/folder", True),
            "belongs to /no/folder, which is not there (renamed, or not mounted?),",
        ),
    ],
    ids=["running", "halted", "of a folder that is gone, running"],
)
def test_what_holds_data_is_left_alone_and_its_folder_named(clone, second, made_by, made, whose):
    folder, runs = made
    node = made_by(folder, runs=runs)
    seen = docker("inspect", "--format", "{{.State.StartedAt}} {{.State.Status}}", node)
    said = refusal(clone, second)
    assert whose in said
    assert "LAB_NAME=two LAB_SUBNET=192.168.57.0/24" in said
    assert "`LAB_REPLACE=yes make up`" in said
    for task in ("status", "deploy", "destroy", "doctor", "verify"):
        ended, said = fab(task, folder=clone, **second)
        assert (ended, said.count("\n"), "make up" in said) == (1, 1, False), said
        assert f"lab: the lab '{SECOND}' belongs to {folder}" in said
    ended, said = fab("up", folder=clone, **second)
    assert (ended, said.count("lab: the lab")) == (1, 1)
    assert docker("inspect", "--format", "{{.State.StartedAt}} {{.State.Status}}", node) == seen


def test_a_copy_of_a_lab_s_folder_does_not_take_its_nodes(clone, second, made_by):
    node = made_by(FOLDER, runs=True)
    known = clone / ".vagrant" / "machines" / NODE / "docker" / "id"
    known.parent.mkdir(parents=True)
    known.write_text(node)
    for command in (("up",), ("destroy", "--force"), ("halt",), ("--no-tty", "destroy", "--force")):
        ended, said = vagrant(*command, folder=clone, **second)
        assert (ended, f"belongs to {FOLDER}" in said) == (1, True), said
    assert docker("inspect", "--format", "{{.State.Running}}", node) == ["true"]


def test_what_replaces_is_told_by_yes_alone(clone, second):
    said = refusal(clone, second | {"LAB_REPLACE": "no"})
    assert said == 'lab: LAB_REPLACE: "no" should be yes, or not set'


def refusal(folder, environment):
    """The one line with which `vagrant up` ends before it touches anything."""
    ended, output = vagrant("up", folder=folder, **environment)
    assert ended != 0
    assert not (folder / ".lab").exists()
    assert not list((folder / ".vagrant").rglob("id"))
    lines = [line for line in output.splitlines() if line.startswith("lab: ")]
    assert len(lines) == 1, output
    return lines[0]


def test_a_subnet_of_another_lab_is_refused(clone, second, running):
    said = refusal(clone, second | {"LAB_SUBNET": str(TOPOLOGY.subnet)})
    assert f"overlaps {TOPOLOGY.subnet} of Docker's network '{TOPOLOGY.name}'" in said


@pytest.mark.parametrize("route", [(OTHERS, "dev", "lo"), ("unreachable", OTHERS)])
def test_a_subnet_that_a_route_of_this_machine_has_is_refused(clone, second, route):
    subprocess.run(("ip", "route", "add", *route), check=True)
    try:
        said = refusal(clone, second | {"LAB_SUBNET": OTHERS})
    finally:
        subprocess.run(("ip", "route", "del", *route), check=True)
    assert f"LAB_SUBNET {OTHERS} overlaps a route of this machine ({' '.join(route)}" in said


def test_a_machine_without_docker_is_refused(clone, second, tmp_path):
    # By its name: which engine is asked is not the caller's to say.
    client = tmp_path / "docker"
    client.write_text(
        f'#!/bin/sh\nexec {shutil.which("docker")} --host unix:///nowhere.sock "$@"\n'
    )
    client.chmod(0o755)
    said = refusal(clone, second | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert "no Docker engine answers" in said


def test_a_machine_with_too_little_memory_and_disk_is_refused(clone, second):
    settings = yaml.safe_load((clone / "lab.yml").read_text())
    # As many as there are addresses: few machines have the room.
    settings["nodes"] = {f"n{number}": {"host": number, "memory": 1024} for number in range(2, 255)}
    settings["builder"] = "n2"
    (clone / "lab.yml").write_text(yaml.safe_dump(settings))
    said = refusal(clone, second)
    assert "no room for 253 nodes" in said
    assert re.search(r"\d+ MiB of memory are free and 388608 needed", said)
    free = shutil.disk_usage(*docker("info", "--format", "{{.DockerRootDir}}")).free // 2**20
    assert (free < 777216) == bool(
        re.search(r"\d+ MiB below /\S+ are free and 777216 needed", said)
    )


@pytest.mark.parametrize(
    ("labels", "said", "stays"),
    [
        ((), "it has no label lab.name=second", True),
        (("--label", f"lab.name={SECOND}"), "has the subnet", False),
    ],
    ids=["a stranger's", "on another subnet"],
)
def test_a_docker_network_in_the_way_is_refused_and_only_the_lab_s_own_is_removed(
    clone, second, labels, said, stays
):
    network = docker("network", "create", *labels, SECOND)
    try:
        assert said in refusal(clone, second)
        vagrant("destroy", "--force", folder=clone, **second)
        assert (
            docker("network", "ls", "--quiet", "--no-trunc", f"--filter=name=^{SECOND}$") == network
        ) == stays
    finally:
        subprocess.run(("docker", "network", "rm", *network), capture_output=True, check=False)
