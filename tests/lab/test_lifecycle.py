"""Boot, halt, power cut, and other labs on the same machine. Long: only `make test-all` runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml

from lab.client import wait_ready
from lab.tasks.status import status
from lab.topology import FOLDER
from tests.conftest import TOPOLOGY

pytestmark = pytest.mark.long
SECONDS = 240

# The lab beside this one, and the one of its nodes that is booted.
SECOND = "second"
NODE = TOPOLOGY.names[-1]


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


def docker(*arguments):
    done = subprocess.run(("docker", *arguments), capture_output=True, text=True, check=True)
    return done.stdout.split()


def docker_subnets():
    subnets = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
    found = docker("network", "inspect", "--format", subnets, *docker("network", "ls", "--quiet"))
    return {ip_network(subnet) for subnet in found}


def routes():
    """Of this machine: network -> what `ip route` says of it."""
    said = subprocess.run(("ip", "-json", "-4", "route"), capture_output=True, check=True).stdout
    return {ip_network(one["dst"]): one for one in json.loads(said) if one["dst"] != "default"}


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
    taken = docker_subnets() | set(routes()) | {TOPOLOGY.subnet}
    candidates = (ip_network(f"192.168.{number}.0/24") for number in range(77, 256))
    free = next(one for one in candidates if not any(one.overlaps(other) for other in taken))
    return {"LAB_NAME": SECOND, "LAB_SUBNET": str(free)}


@pytest.fixture
def clone(tmp_path):
    """This project in another folder, as a second clone would have it."""
    folder = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".lab", ".vagrant", ".venv", "__pycache__")
    shutil.copytree(FOLDER, folder, ignore=ignored)
    return folder


@pytest.fixture
def second_clone(clone, second):
    """The same, in which a lab may be booted."""
    yield clone
    vagrant("destroy", "--force", folder=clone, **second)


def test_a_second_lab_runs_beside_this_one_and_another_folder_s_is_replaced(
    second_clone, second, running, tmp_path
):
    assert vagrant("up", NODE, folder=second_clone, **second)[0] == 0
    third = tmp_path / "third"
    shutil.copytree(second_clone, third, ignore=shutil.ignore_patterns(".lab", ".vagrant"))
    replaced(third, second_clone, second)
    docker("kill", f"{SECOND}-{NODE}")
    replaced(second_clone, third, second)
    assert status(running).healthy


def replaced(by, old, second):
    ended, said = vagrant("up", NODE, folder=by, **second)
    assert ended == 0, said
    assert f"replacing the lab '{SECOND}' left by {old} (1 nodes)" in said


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


def test_the_machine_s_own_subnet_is_refused(clone, second):
    direct = {to for to, route in routes().items() if "gateway" not in route} - docker_subnets()
    if not direct:
        pytest.skip("no route of this machine but Docker's own leads to a neighbouring network")
    within = ip_network((direct.pop().network_address, 24), strict=False)
    said = refusal(clone, second | {"LAB_SUBNET": str(within)})
    assert "overlaps a route of this machine" in said


def test_a_machine_without_docker_is_refused(clone, second):
    said = refusal(clone, second | {"DOCKER_HOST": "unix:///nowhere.sock"})
    assert "no Docker engine answers" in said


def test_a_machine_with_too_little_memory_and_disk_is_refused(clone, second):
    settings = yaml.safe_load((clone / "lab.yml").read_text())
    # More than any machine has room for: how many addresses there are is looked at later.
    settings["nodes"] = {f"node{number}": {"host": 11, "memory": 1024} for number in range(20_000)}
    (clone / "lab.yml").write_text(yaml.safe_dump(settings))
    said = refusal(clone, second)
    assert "no room for 20000 nodes" in said
    assert re.search(r"\d+ MiB of memory are free and \d+ needed", said)
    assert re.search(r"\d+ MiB below /\S+ are free and \d+ needed", said)


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
