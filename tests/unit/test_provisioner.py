"""provision/node.sh and lab-firewall on made-up machines: slow ones, virtual ones, containers."""

import os
import shutil
import subprocess
import tarfile

import pytest

from lab.config.paths import FOLDER
from tests.unit import ruby

PROVISIONER = (FOLDER / "provision" / "node.sh").read_text().removesuffix("\nmain\n")
FIREWALL = (FOLDER / "provision" / "node" / "sbin" / "lab-firewall").read_text()
ADDRESS = "10.0.0.11"
# As `ip -o` has it.
LINE = f"3: eth1    inet {ADDRESS}/24 brd 10.0.0.255 scope global eth1"


class Machine:
    """Runs a script with programs of its own, whose files lie below a folder."""

    def __init__(self, root):
        self.root, self.bin, self.etc = root, root / "bin", root / "etc"
        self.given = root / "given"
        self.bin.mkdir()
        (self.etc / "ssh/sshd_config.d").mkdir(parents=True)
        (self.etc / "lab").mkdir()

    def has(self, **programs):
        for name, text in programs.items():
            path = self.bin / name.replace("_", "-")
            path.write_text(f"#!/bin/bash\n{text}\n")
            path.chmod(0o755)

    def run(self, text, *arguments):
        return subprocess.run(
            ("bash", "-c", text.replace("/etc/", f"{self.etc}/"), "bash", *arguments),
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "LAB_ADDRESS": ADDRESS},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("detected", "bound"),
    [(0, {"lab-address.conf": f"ListenAddress {ADDRESS}\n"}), (1, {})],
    ids=["container", "virtual machine"],
)
def test_sshd_moves_in_a_container_alone_whatever_the_shell_says(machine, detected, bound):
    machine.has(
        systemd_detect_virt=f'[ "$*" = "--quiet --container" ] && exit {detected}; exit 9',
        systemctl="exit 0",
    )
    done = machine.run(f"{PROVISIONER}\nLAB_PROVIDER=docker bind_ssh")
    assert (done.returncode, done.stderr) == (0, "")
    folder = machine.etc / "ssh/sshd_config.d"
    assert {path.name: path.read_text() for path in folder.iterdir()} == bound


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no Debian package is known here")
@pytest.mark.parametrize(
    ("packages", "asked"), [("dpkg\napt\n", False), ("dpkg\nno-such-package\n", True)]
)
def test_apt_is_asked_only_for_packages_that_are_missing(machine, packages, asked):
    machine.has(apt_get=f'echo "$1" >> {machine.root}/asked')
    folder = machine.root / "lab-node"
    folder.mkdir()
    (folder / "packages").write_text(packages)
    text = f"{PROVISIONER}\nUPLOADS={machine.root}\ninstall_packages"
    done = machine.run(text)
    assert (done.returncode, done.stderr) == (0, "")
    log = machine.root / "asked"
    assert (log.read_text().split() if log.exists() else []) == ["update", "install"] * asked


@pytest.mark.parametrize(
    ("before", "updated", "bundle"),
    [
        ({}, False, "theirs\nours\nalso ours\n"),
        ({"a.crt": "ours\n", "b.crt": "also ours"}, False, "theirs\n"),
        ({"a.crt": "ours\n"}, True, "theirs\n"),
        ({"a.crt": "another\n", "b.crt": "also ours"}, True, "theirs\n"),
    ],
    ids=["none", "the same", "one of them", "others"],
)
def test_authorities_are_trusted_and_the_others_left_as_they_are(machine, before, updated, bundle):
    trusted, given = machine.root / "trusted", machine.root / "lab-authorities"
    certificates = machine.etc / "ssl/certs"
    for folder in (trusted, given, certificates):
        folder.mkdir(parents=True)
    (certificates / "ca-certificates.crt").write_text("theirs\n")
    for folder, files in ((trusted, before), (given, {"a.crt": "ours\n", "b.crt": "also ours"})):
        for name, text in files.items():
            (folder / name).write_text(text)
    machine.has(
        openssl=f'echo "$*" > {machine.root}/rehashed',
        update_ca_certificates=f"echo >{machine.root}/updated",
    )
    text = PROVISIONER.replace("/usr/local/share/ca-certificates", str(trusted))
    done = machine.run(f"{text}\nUPLOADS={machine.root}\ntrust_authorities")
    assert (done.returncode, done.stderr) == (0, "")
    assert (machine.root / "updated").exists() == updated
    assert (certificates / "ca-certificates.crt").read_text() == bundle
    assert {path.name: path.read_text() for path in trusted.iterdir()} == {
        "a.crt": "ours\n",
        "b.crt": "also ours",
    }
    linked = {path.name: path.resolve() for path in certificates.iterdir() if path.is_symlink()}
    new = {"a.pem": trusted / "a.crt", "b.pem": trusted / "b.crt"}
    assert linked == ({} if before else new)
    assert (machine.root / "rehashed").exists() == (not before)


def test_a_machine_is_given_all_in_one_file_and_nothing_that_editors_leave(tmp_path):
    authorities, file = tmp_path / "authorities", tmp_path / "node.tar"
    authorities.mkdir()
    for name in ("of a company.crt", "README"):
        (authorities / name).write_text("x")
    left = FOLDER / "provision/node/sbin/lab-names.orig"
    left.write_text("x")
    program = """
    require './provision/lab'
    Lab.send(:remove_const, :AUTHORITIES)
    Lab::AUTHORITIES = given[0]
    puts JSON.generate([system('tar', '--create', '--file', given[1], *Lab.uploaded)])
    """
    try:
        assert ruby.ask(program, [str(authorities), str(file)]) == [True]
    finally:
        left.unlink()
    with tarfile.open(file) as archive:
        names = {name for name in archive.getnames() if "__pycache__" not in name}
    sent = {
        f"lab-node/{path.relative_to(FOLDER / 'provision/node')}"
        for path in (FOLDER / "provision/node").rglob("*")
        if "__pycache__" not in path.parts
    }
    assert names == sent | {"lab-node", "lab-authorities/of a company.crt"}


LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 291 (apt-get)"


@pytest.mark.parametrize(
    ("said", "times", "status", "asked"),
    [
        (LOCKED, 2, 0, 3),
        ("E: Failed to fetch http://deb.debian.org/", 2, 1, 1),
        # Longer than anybody waits.
        (LOCKED, 99, 1, 2),
    ],
    ids=["in use for a while", "another failure", "in use for ever"],
)
def test_apt_waits_for_who_else_uses_it(machine, said, times, status, asked):
    count = machine.root / "asked"
    count.write_text("")
    machine.has(
        apt_get=f"""echo >>{count}
[ $(wc -l <{count}) -gt {times} ] || {{ echo '{said}' >&2; exit 100; }}""",
        sleep="exit 0" if times < 99 else "exec /bin/sleep 1.1",
    )
    patience = "PATIENCE=1" if times == 99 else "PATIENCE=600"
    done = machine.run(f"{PROVISIONER}\n{patience}\nupdate_lists")
    assert (done.returncode, done.stderr) == (status, "" if status == 0 else f"{said}\n")
    assert len(count.read_text()) == asked


@pytest.fixture
def firewall(machine):
    """lab-firewall; what iptables was given is in a file."""
    (machine.etc / "lab/firewall").write_text("29000 10.0.0.14 tcp\n")
    (machine.etc / "lab/address").write_text(f"{ADDRESS}\n")
    machine.has(
        iptables=f'[[ $* != *" -C "* ]] && echo "$*" >>{machine.given}',
        iptables_restore=f"cat >>{machine.given}",
    )
    return machine


def test_the_firewall_stands_and_sshd_answers_on_the_node_s_own_address_alone(firewall):
    firewall.has(ip=f"echo '{LINE}'")
    done = firewall.run(FIREWALL)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert firewall.given.read_text().splitlines() == [
        "*raw",
        ":LAB - [0:0]",
        "-A LAB -p tcp -m multiport --dports 29000 -s 10.0.0.14 -j RETURN",
        "-A LAB -p tcp --syn -m multiport --dports 29000 -j DROP",
        ":OWN-SSH - [0:0]",
        "-A OWN-SSH -d 10.0.0.11 -j RETURN",
        "-A OWN-SSH -j DROP",
        "COMMIT",
        "-w -t raw -I PREROUTING -i eth1 -j LAB",
        "-w -t raw -I PREROUTING -d 10.0.0.11/24 -p tcp --dport 22 -m addrtype --dst-type LOCAL"
        " -j OWN-SSH",
    ]


def test_at_boot_the_firewall_waits_for_the_address_however_late(firewall):
    late = firewall.root / "late"
    firewall.has(ip=f"echo >>{late}; [ $(wc -l <{late}) -lt 40 ] || echo '{LINE}'", sleep="exit 0")
    done = firewall.run(FIREWALL, "wait")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"lab-firewall: waiting until an interface has this node's address {ADDRESS}:"
        " see `ip address`\n"
    )
    assert "-i eth1 -j LAB" in firewall.given.read_text()


def test_a_task_is_told_at_once_that_the_address_is_missing(firewall):
    firewall.has(ip="exit 0")
    done = firewall.run(FIREWALL)
    assert (done.returncode, done.stderr) == (
        1,
        f"lab-firewall: no interface has this node's address {ADDRESS}: see `ip address`\n",
    )
    assert not firewall.given.exists()


def test_systemd_has_the_firewall_wait_and_docker_with_it():
    unit = FOLDER / "provision/node/etc/systemd/system/lab-firewall.service"
    lines = unit.read_text().splitlines()
    assert "ExecStart=/usr/local/sbin/lab-firewall wait" in lines
    # systemd gives one of this type as long as it takes.
    assert "Type=oneshot" in lines
    assert not [line for line in lines if line.startswith("Timeout")]
    assert {"Before=docker.service", "RequiredBy=docker.service"} <= set(lines)


def test_a_host_of_one_s_own_keeps_its_sshd_and_its_resolver(machine):
    brought = machine.root / "brought"
    brought.touch()
    machine.has(
        systemd_detect_virt="exit 0",
        systemctl=f'echo "$*" >>{machine.root}/asked',
    )
    done = machine.run(f"{PROVISIONER}\nBROUGHT={brought}\nbind_ssh\nquiet_resolver")
    assert (done.returncode, done.stderr) == (0, "")
    assert not list((machine.etc / "ssh/sshd_config.d").iterdir())
    assert not (machine.root / "asked").exists()


# As Debian's docker.io has it.
DOCKERD = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
NAMED = f"""\
[Service]
ExecStart=
ExecStart=/usr/bin/unshare --uts /bin/sh -c 'hostname "$$0" && exec "$$@"' ubuntu1 {DOCKERD}
"""


def test_docker_calls_a_host_what_the_lab_does_and_nobody_else(machine):
    # With what the lab has added itself, the second time.
    unit = machine.etc / "systemd/system/docker.service.d/lab-name.conf"
    machine.has(
        systemctl=f"""[ "$1" != cat ] || {{ echo '[Service]'; echo 'ExecStart={DOCKERD}'
cat {unit} 2>/dev/null; true; }}"""
    )
    text = (
        f"{PROVISIONER}\nHOSTNAME=rack7 LAB_NODE=ubuntu1 name_docker && echo changed || echo kept"
    )
    assert [machine.run(text).stdout for _ in range(2)] == ["changed\n", "kept\n"]
    assert unit.read_text() == NAMED
    unit.unlink()
    same = text.replace("HOSTNAME=rack7", "HOSTNAME=ubuntu1")
    assert machine.run(same).stdout == "kept\n"
    assert not unit.exists()
