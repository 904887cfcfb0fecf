"""Two nodes as virtual machines, from `vagrant up` to another `up` after a halt. In this order."""

import re
import socket
import sys
from contextlib import suppress
from threading import Event, Thread

import pytest

from lab.config.paths import FOLDER
from lab.release import images
from tests.vm.machines import SSH_CONFIG, attempt, root, run, vagrant, virsh
from tests.vm.place import ADDRESSES, MACHINES

# Who lab.yml has for which half.
DJANGO, NGINX = "ubuntu1", "ubuntu2"
UWSGI_PORT = 29000
# What a second provision may not touch: files, and since when programs run.
STANDS = """
find /etc /usr/local -type f ! -name '*.pyc' -exec sha256sum {} + | sort -k 2
systemctl show --property=Id,MainPID,ActiveEnterTimestamp docker containerd ssh lab-firewall
docker ps --no-trunc --quiet | sort |
  xargs --no-run-if-empty docker inspect --format '{{.Id}} {{.State.StartedAt}}'
"""


def image(name):
    return images.reference("ubuntu1:5000", name, images.tags()[name])


def accepts(address, port):
    """Whether this machine, which is no node of the lab, may connect to a port of one."""
    with suppress(OSError), socket.create_connection((address, port), timeout=3):
        return True
    return False


@pytest.fixture(scope="module")
def wired(booted, give):
    """Django on one machine, nginx on the other."""
    for node in MACHINES:
        give(node, "web")
    run(sys.executable, "-m", "tests.vm.wire", processor=3000)


def asked(node):
    """What a node gets from the site's nginx, which gets it from the other node's Django."""
    page = root(node, f"curl -sS -m 60 -w '\\n%{{http_code}}' http://{NGINX}/accounts/login/")
    text, _, status = page.rpartition("\n")
    return status, "csrfmiddlewaretoken" in text


@pytest.mark.usefixtures("booted")
def test_vagrant_up_boots_and_provisions_two_machines():
    for node in MACHINES:
        units = root(node, "systemctl is-active docker lab-firewall lab-follow")
        assert units.split() == ["active", "active", "active"]
        assert root(node, "stat --file-system --format %T /sys/fs/cgroup") == "cgroup2fs\n"


@pytest.mark.usefixtures("booted")
@pytest.mark.parametrize("node", MACHINES)
def test_every_name_is_an_address_of_the_lab(node):
    found = root(node, "getent ahostsv4 ubuntu1 ubuntu2 | awk '$2 == \"STREAM\" {print $1, $3}'")
    first = {name: address for address, name in map(str.split, reversed(found.splitlines()))}
    assert first == ADDRESSES


@pytest.mark.usefixtures("booted")
def test_vagrant_ssh_leads_to_the_machine():
    assert vagrant("ssh", "ubuntu2", "-c", "hostname").splitlines()[-1].strip() == "ubuntu2"


@pytest.mark.usefixtures("booted")
def test_the_plain_walk_finds_its_own_way_and_names_the_machine_that_is_missing():
    SSH_CONFIG.unlink()
    fab = str(FOLDER / ".venv" / "bin" / "fab")
    status, said = run(fab, "-H", "ubuntu1", "deploy", processor=900, check=False)
    assert "vagrant ssh-config ubuntu1 ubuntu2" in said
    last = said.strip().splitlines()[-1]
    assert (status, "ubuntu3" in last or "ubuntu4" in last) == (1, True), said
    # The way that it found leads there.
    assert root("ubuntu2", "hostname").strip() == "ubuntu2"


@pytest.mark.usefixtures("booted")
@pytest.mark.parametrize("node", MACHINES)
def test_only_ssh_answers_from_outside(node):
    """What listens on all of a machine's addresses, but for Vagrant's way in."""
    listening = root(
        node, "ss --no-header --listening --tcp --udp --numeric | awk '{print $1, $5}'"
    )
    everywhere = {
        line for line in listening.splitlines() if re.match(r"\w+ (0\.0\.0\.0|\*|\[::\]):", line)
    }
    assert everywhere == {"tcp 0.0.0.0:22", "tcp [::]:22"}


@pytest.mark.usefixtures("booted")
def test_a_second_provision_changes_nothing():
    before = {node: root(node, STANDS) for node in MACHINES}
    vagrant("provision", *MACHINES, processor=1500)
    assert {node: root(node, STANDS) for node in MACHINES} == before


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize("node", MACHINES)
def test_a_wiring_over_both_machines_serves_each_of_them(node):
    assert asked(node) == ("200", True)


@pytest.mark.usefixtures("wired")
def test_nobody_but_nginx_reaches_django():
    assert attempt(NGINX, f"timeout 60 bash -c '</dev/tcp/{DJANGO}/{UWSGI_PORT}'")[0] == 0
    assert not accepts(ADDRESSES[DJANGO], UWSGI_PORT)
    assert accepts(ADDRESSES[NGINX], 80)


@pytest.mark.usefixtures("wired")
def test_a_container_writes_no_faster_than_its_label_says():
    start = f"docker run --detach --entrypoint sleep --name {{}} {image('webapp_django')} 3600"
    limited = start.format("limited --label lab.write=2097152")
    write = "docker exec {} dd if=/dev/zero of=/tmp/file bs=1M count=10 oflag=direct 2>&1"
    seconds = {}
    try:
        root(DJANGO, f"{start.format('unlimited')}; {limited}")
        root(DJANGO, f"until grep wbps=2097152 {cgroup('limited')}/io.max; do sleep 1; done")
        for name in ("unlimited", "limited"):
            said = root(DJANGO, write.format(name))
            seconds[name] = float(re.search(r"([\d.]+) s, ", said)[1])
    finally:
        root(DJANGO, "docker rm --force unlimited limited")
    assert seconds["limited"] > 4
    assert seconds["unlimited"] < seconds["limited"] / 2


def cgroup(container):
    """A shell's words for the folder of a container's cgroup."""
    process = f"$(docker inspect --format '{{{{.State.Pid}}}}' {container})"
    return f"/sys/fs/cgroup$(sed -n s/^0:://p /proc/{process}/cgroup)"


@pytest.mark.usefixtures("wired")
def test_halt_and_up_bring_everything_back_and_the_firewall_stands_first():
    opened, over = [], Event()

    def look():
        while not over.wait(0.2):
            if accepts(ADDRESSES[DJANGO], UWSGI_PORT):
                opened.append(UWSGI_PORT)

    vagrant("halt", *MACHINES, processor=1500)
    assert virsh("list", "--name").split() == []
    looking = Thread(target=look)
    looking.start()
    try:
        vagrant("up", *MACHINES, processor=3000)
        for node in MACHINES:
            root(node, HEALTHY, processor=1200)
    finally:
        over.set()
        looking.join()
    assert opened == []
    for node in MACHINES:
        firewall, docker = root(node, ORDER).split()
        assert 0 < int(firewall) <= int(docker)
    assert asked(DJANGO) == ("200", True)


HEALTHY = """
until [ "$(docker ps --quiet | wc -l)" = 1 ] &&
  [ -z "$(docker ps --quiet --filter health=starting)" ]; do sleep 2; done
docker ps --filter health=unhealthy --format '{{.Names}} is unhealthy' | { ! grep .; }
"""
ORDER = """
systemctl show --property=ActiveEnterTimestampMonotonic --value lab-firewall
systemctl show --property=ExecMainStartTimestampMonotonic --value docker
"""
