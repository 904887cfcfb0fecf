"""cgroup v2: the docker provider's node as a container of a virtual machine, and limits in it."""

import json
import re

import pytest

from lab.release import images
from tests.vm.machines import attempt, root, send_folder
from tests.vm.place import CLONE

MACHINE = "ubuntu1"
INNER = "docker exec node"
IMAGE = images.reference("ubuntu1:5000", "webapp_django", images.tags()["webapp_django"])
# As lab.rb makes a node where containers may be privileged, as on most machines.
START = """
rm -f /root/login_key*
ssh-keygen -q -t ed25519 -N '' -f /root/login_key
docker run --detach --name node --hostname node --privileged --cgroupns=private \\
  --tmpfs /run --tmpfs /run/lock --memory 1000m \\
  --volume /root/login_key.pub:/etc/ssh/lab_login_key.pub:ro \\
  "$(docker image ls --format '{{.Repository}}:{{.Tag}}' lab-node)"
"""
BOOTED = f"until {INNER} systemctl is-active docker ssh; do sleep 2; done >/dev/null"
PROVISION = f"""
address=$(docker inspect --format '{{{{.NetworkSettings.IPAddress}}}}' node)
# Not `docker cp`, which would write below what is mounted there.
tar -C /tmp -c lab-node lab-node.sh | docker exec --interactive node tar -C /tmp -x
{INNER} env LAB_ADDRESS="$address" LAB_HOSTS="$address=node" LAB_PROVIDER=docker \\
  LAB_PROVISION_DIGEST=tried bash /tmp/lab-node.sh
docker save {IMAGE} | docker exec --interactive node docker load
"""


@pytest.fixture(scope="module")
def node(booted, give):
    """Runs a shell's script in the node."""
    give(MACHINE, "web")
    give(MACHINE, "lab-node")
    root(MACHINE, START, processor=600)
    root(MACHINE, BOOTED, processor=1200)
    send_folder(MACHINE, CLONE / "provision" / "node", "/tmp/lab-node")
    send_folder(MACHINE, CLONE / "provision" / "node.sh", "/tmp/lab-node.sh")
    root(MACHINE, PROVISION, processor=1500)

    def run(script, processor=300, check=True):
        quoted = script.replace("'", "'\\''")
        return attempt(MACHINE, f"{INNER} bash -c '{quoted}'", processor, check=check)

    yield run
    root(MACHINE, "docker rm --force --volumes node")


def sleeper(name, label):
    """Starts a container of the node's own Docker that does nothing."""
    return f"docker run --detach --name {name} --label {label} --entrypoint sleep {IMAGE} 3600"


def python(program, *options):
    """A container of the node's own Docker that runs a program, and nothing beside it."""
    run = ("docker run --rm --no-healthcheck", *options, "--entrypoint python3", IMAGE)
    return f'{" ".join(run)} -c "{program}"'


def test_the_node_boots_and_has_a_docker_of_its_own(node):
    assert node("stat --file-system --format %T /sys/fs/cgroup")[1] == "cgroup2fs\n"
    assert node("docker info --format '{{.CgroupVersion}} {{.Driver}}'")[1] == "2 overlay2\n"


def test_memory_beyond_the_limit_ends_a_container(node):
    eater = "hold = []\nwhile True: hold.append(b'x' * 2**20)"
    assert node(python(eater, "--memory 48m", "--memory-swap 48m"), check=False)[0] == 137


def test_a_container_has_as_many_processes_as_its_limit_says(node):
    forks = (
        "import os, time\ncount = 1\n"
        "try:\n"
        "    while count < 100:\n"
        "        if os.fork() == 0: time.sleep(30); os._exit(0)\n"
        "        count += 1\n"
        "except OSError: print(count)"
    )
    assert node(python(forks, "--pids-limit 16"))[1].split() == ["16"]


def test_a_container_has_as_much_of_a_processor_as_its_limit_says(node):
    burn = (
        "import time\nbegan, used = time.monotonic(), time.process_time()\n"
        "while time.monotonic() < began + 8: pass\n"
        "print((time.process_time() - used) / (time.monotonic() - began))"
    )
    assert 0.1 < float(node(python(burn, "--cpus 0.25"))[1]) < 0.4


def test_a_container_writes_as_fast_as_its_label_says(node):
    limits = "/sys/fs/cgroup/system.slice/docker-*.scope/io.max"
    write = "docker exec writer dd if=/dev/zero of=/tmp/file bs=1M count=10 oflag=direct 2>&1"
    try:
        node(sleeper("writer", "lab.write=2097152"))
        node(f"until grep -qs wbps= {limits}; do sleep 1; done")
        seconds = float(re.search(r"([\d.]+) s, ", node(write)[1])[1])
        # 10 MiB at 2 a second.
        assert seconds > 4
    finally:
        node("docker rm --force writer", check=False)


def test_what_a_container_uses_is_read_as_fab_top_reads_it(node):
    sample = (
        "import sys, json\nsys.path.insert(0, '/usr/local/lib/lab')\n"
        "from lab_node import sample\nprint(json.dumps(sample.containers()))"
    )
    try:
        node(sleeper("used", "lab.service=used"))
        (used,) = json.loads(node(f'python3 -c "{sample}"')[1])
        assert used["state"] == "running"
        assert used["cpu"] > 0
        assert 2**18 < used["memory"] < 2**26
    finally:
        node("docker rm --force used", check=False)
