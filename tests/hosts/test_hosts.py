"""From four plain hosts to a lab that serves, and back to what they were. In this order."""

import json
import shutil
import subprocess

import pytest

from tests.hosts import plain
from tests.hosts.plain import CLONE, HOME, HOSTS, NODES, SUBNET, fab, on, run, snapshot, write_lab

# Each by what a person of the host's might have done there, under the name of it: (host, what is
# done, what takes it back, the line).
HAS = {
    "another system": (
        "hosts-2",
        "cp -a /usr/lib/os-release /run/os-release; printf 'ID=devuan\\nPRETTY_NAME=Devuan\\n'"
        " > /usr/lib/os-release",
        "cp -a /run/os-release /usr/lib/os-release",
        "ubuntu2 (admin@192.168.83.12): runs Devuan: it should be Debian 13 or newer, or Ubuntu"
        " 24.04 or newer",
    ),
    "a port in use": (
        "hosts-3",
        "systemd-run --quiet --unit own-web --property Type=exec perl -MIO::Socket::INET -e"
        " 'IO::Socket::INET->new(LocalPort => 9042, Listen => 1)->accept'; sleep 1",
        "systemctl stop own-web",
        "ubuntu3 (admin@192.168.83.13): has port 9042 in use, which the lab needs: end what listens"
        " there (`ss -ltnp`)",
    ),
    "a folder of that name": (
        "hosts-4",
        "mkdir /home/dock",
        "rmdir /home/dock",
        "ubuntu4 (admin@192.168.83.14): has /home/dock already, which the lab would write: move"
        " that away",
    ),
    "another lab": (
        "hosts-1",
        "mkdir -p /var/lib/lab/brought; printf '%s\\n' lab /home/you/lab desk AAAA"
        " '2026-11-30 12:00:00' > /var/lib/lab/brought/owner",
        "rm -r /var/lib/lab",
        "ubuntu1 (admin@192.168.83.11): is a node of the lab 'lab' of /home/you/lab on desk since"
        " 2026-11-30 12:00:00 UTC: use that, or take another host (LAB_REPLACE=yes replaces that"
        " lab, with its data)",
    ),
    "a user without sudo": (
        "hosts-1",
        "gpasswd --delete admin sudo >/dev/null 2>&1",
        "usermod --append --groups sudo admin",
        "ubuntu1 (admin@192.168.83.11): sudo does not take that password, or lets that user do"
        " nothing",
    ),
    "no sshd": (
        "hosts-2",
        "systemctl stop ssh",
        "systemctl start ssh",
        "ubuntu2 (admin@192.168.83.12): does not answer over SSH (connect to host 192.168.83.12"
        " port 22: Connection refused): see `ssh ",
    ),
    "the virtual address taken": (
        "hosts-4",
        f"ip address add {SUBNET}.10/32 dev eth0",
        f"ip address delete {SUBNET}.10/32 dev eth0",
        "lab.yml: virtual_host: 10: 192.168.83.10 is somebody's already: choose another",
    ),
}


def assert_as_they_were(hosts):
    for host, before in hosts.items():
        after = snapshot(host)
        assert sorted(set(before) - set(after)) == [], host
        assert sorted(set(after) - set(before)) == [], host


def last_line(text):
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize(("host", "done", "undone", "line"), HAS.values(), ids=HAS)
def test_a_host_that_can_t_be_a_node_is_named_before_anything_is_changed(
    hosts, host, done, undone, line
):
    on(host, done)
    try:
        status, said, _ = fab("up")
    finally:
        on(host, undone)
    assert status == 1
    assert last_line(said).startswith(f"lab: {line}")
    assert not (CLONE / ".lab" / "machines.json").exists()
    # The lines of the table alone differ, not of a byte.
    assert {one: snapshot(one) for one in HOSTS} == hosts


# By what is wrong: (what lab.yml says otherwise, how the line begins).
SAYS = {
    "an address": (
        ("host: 12,", "host: 22,"),
        "ubuntu2 (admin@192.168.83.12): has not the address 192.168.83.22 that lab.yml gives it",
    ),
    "memory": (
        ("memory: 2048", "memory: 4194304"),
        "ubuntu4 (admin@192.168.83.14): has ",
    ),
    "a port": (
        ("ssh: admin@192.168.83.13", "ssh: admin@192.168.83.13, port: 2222"),
        "ubuntu3 (admin@192.168.83.13): does not answer over SSH (",
    ),
    "a user": (
        ("ssh: admin@192.168.83.13", "ssh: somebody@192.168.83.13"),
        f"ubuntu3 (somebody@192.168.83.13): lets nobody in with the key {plain.KEY}: `ssh ",
    ),
}


@pytest.mark.parametrize(("replaced", "line"), SAYS.values(), ids=SAYS)
def test_what_lab_yml_says_of_a_host_has_to_be_so(hosts, replaced, line):
    write_lab(replaced)
    try:
        status, said, asked = fab("up")
    finally:
        write_lab()
    assert (status, asked) == (1, 0)
    told = [text.removeprefix("lab: ") for text in said.splitlines()]
    assert any(text.startswith(line) for text in told), said
    assert {one: snapshot(one) for one in HOSTS} == hosts


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("192.168.83.12", "ubuntu2 (admin@192.168.83.12): its host key is not known here: `ssh"),
        ("192.168.83.13", "ubuntu3 (admin@192.168.83.13): its host key is another one than"),
    ],
    ids=["unknown", "another"],
)
def test_a_host_is_the_one_that_is_known(hosts, tmp_path, change, line):
    shutil.copytree(HOME, tmp_path / "home")
    known = tmp_path / "home" / ".ssh" / "known_hosts"
    lines = known.read_text().splitlines(keepends=True)
    kept = [one for one in lines if not one.startswith(f"{change} ")]
    if "another" in line:
        kept.append(f"{change} {(HOME / '.ssh' / 'id_ed25519.pub').read_text()}")
    known.write_text("".join(kept))
    status, said, _ = fab("up", home=tmp_path / "home")
    assert status == 1
    assert last_line(said).startswith(f"lab: {line}")


def test_of_an_up_that_was_killed_nothing_is_left(hosts):
    status, _, _ = fab("up", until="installing packages")
    assert status < 0
    on(
        "hosts-2",
        "sleep 3; pkill -KILL -f lab-given/node.sh; pkill -KILL apt-get; pkill -KILL dpkg; true",
    )
    status, said, asked = fab("destroy")
    assert (status, asked) == (0, 1), said[-3000:]
    assert_as_they_were(hosts)


def test_up_makes_a_verified_lab_and_asks_for_the_password_once(hosts):
    status, said, asked = fab("up")
    assert (status, asked) == (0, 1), said[-3000:]
    assert "up and verified" in last_line(said)


def test_every_port_container_and_setting_is_verified(hosts):
    status, said, asked = fab("verify")
    assert (status, asked) == (0, 0), said[-3000:]


def test_the_doctor_finds_all_well(hosts):
    status, said, asked = fab("doctor")
    assert (status, asked) == (0, 0), said[-3000:]
    assert last_line(said).endswith(" checks, all well")


def test_each_host_keeps_its_own_name_and_its_people_s_way_in(hosts):
    for host in HOSTS:
        assert on(host, "hostname").strip() == host
        assert "0.0.0.0:22" in on(host, "ss -Hltn")


def test_a_second_up_asks_for_nothing_and_changes_nothing(hosts):
    before = {host: on(host, "docker ps -q --no-trunc") for host in HOSTS}
    status, said, asked = fab("up")
    assert (status, asked) == (0, 0), said[-3000:]
    assert {host: on(host, "docker ps -q --no-trunc") for host in HOSTS} == before


def test_nobody_else_comes_in_by_the_lab_s_key(hosts):
    config = CLONE / ".lab" / "ssh_config"
    assert run("ssh", "-F", str(config), "ubuntu2", "sudo", "id", "-u") == "0\n"
    known = CLONE / ".lab" / "known_hosts"
    text = known.read_text()
    known.write_text(text.replace("AAAA", "AAAB"))
    try:
        assert fab("status")[0] == 1
    finally:
        known.write_text(text)
    assert fab("status")[0] == 0


def test_an_edited_view_is_deployed(hosts):
    views = CLONE / "django_app" / "templates" / "registration" / "login.html"
    text = views.read_text()
    views.write_text(text.replace("<form", "<p>on hosts of our own</p><form", 1))
    status, said, asked = fab("deploy")
    assert (status, asked) == (0, 0), said[-3000:]
    page = run("curl", "--silent", "--fail", f"http://{SUBNET}.10/accounts/login/")
    assert "on hosts of our own" in page


def test_the_machines_power_is_nobody_s_here(hosts):
    status, said, _ = fab("drill", "power-cut")
    assert status == 1
    assert last_line(said) == (
        "lab: drill: power-cut: takes power over the machines, and of hosts of your own the lab has"
        " none: see `fab drill --list` for the others"
    )


def test_status_is_well_for_programs(hosts):
    found = subprocess.run(
        (plain.FAB, "status", "--json"),
        cwd=CLONE,
        env={"PATH": "/usr/bin:/bin", "HOME": str(HOME), "LAB_NAME": "hosts"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    status = json.loads(found)
    assert status["healthy"]
    assert {node: one["address"] for node, one in status["nodes"].items()} == {
        node: f"{SUBNET}.{HOSTS[host]}" for node, host in NODES.items()
    }


def test_destroying_takes_away_what_was_brought_and_nothing_else(hosts):
    # Since then its people went on working.
    on("hosts-1", "echo later >> /home/somebody/notes")
    status, said, asked = fab("destroy")
    assert (status, asked) == (0, 1), said[-3000:]
    on("hosts-1", "sed -i '$d' /home/somebody/notes")
    assert_as_they_were(hosts)
    left = {path.name for path in (CLONE / ".lab").iterdir()}
    assert left <= {"reports", "drill.lock"}


def test_destroying_again_finds_nothing_to_do(hosts):
    status, said, asked = fab("destroy")
    assert (status, asked) == (0, 0), said[-3000:]
