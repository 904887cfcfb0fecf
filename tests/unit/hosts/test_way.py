"""The way to a host: why there is none, and what is kept of the one that was checked."""

import os
import subprocess
from dataclasses import replace

import pytest

from lab.config import topology
from lab.config.paths import FOLDER
from lab.context import Lab
from lab.errors import LabError
from lab.hosts import bring, kept, way
from lab.hosts.facts import Owner
from lab.hosts.way import Host, Root
from lab.lifecycle import boot
from lab.machines import made, ssh_settings
from lab.machines.typed import for_own_hosts
from tests.unit.delivered import TEXT
from tests.unit.hosts.own_lab import own_lab
from tests.unit.hosts.test_facts import FACTS

LAB = topology.load(own_lab(TEXT), {})
HOST = Host("ubuntu1", "admin@192.168.56.11", 22, "")
BEHIND = Host("ubuntu2", "root@rack.example.org", 2222, "/home/me/.ssh/rack")

# As OpenSSH 9.2 says it.
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key for 192.168.56.11 has changed and you have requested strict checking.
Host key verification failed.
"""
UNKNOWN = """\
No ED25519 host key is known for [rack.example.org]:2222 and you have requested strict checking.
Host key verification failed.
"""
WHYS = [
    (
        HOST,
        255,
        "ssh: connect to host 192.168.56.11 port 22: Connection timed out\r\n",
        "ubuntu1 (admin@192.168.56.11): does not answer over SSH (connect to host 192.168.56.11"
        " port 22: Connection timed out): see `ssh admin@192.168.56.11`",
    ),
    (
        BEHIND,
        255,
        UNKNOWN,
        "ubuntu2 (root@rack.example.org): its host key is not known here: `ssh -p 2222 -i"
        " /home/me/.ssh/rack root@rack.example.org` shows it; compare it with the host's own, and"
        " accept it",
    ),
    (
        BEHIND,
        255,
        CHANGED,
        "ubuntu2 (root@rack.example.org): its host key is another one than ~/.ssh/known_hosts has:"
        " if it was made anew, `ssh-keygen -R '[rack.example.org]:2222'` and `ssh -p 2222 -i"
        " /home/me/.ssh/rack root@rack.example.org`, which shows the new one",
    ),
    (
        HOST,
        255,
        "admin@192.168.56.11: Permission denied (publickey,password).\r\n",
        "ubuntu1 (admin@192.168.56.11): lets nobody in with any key of the agent's or of ~/.ssh:"
        " `ssh admin@192.168.56.11` has to work unasked",
    ),
    (
        HOST,
        1,
        "E: Unable to locate package docker.io\nlab: the address is missing\n",
        "ubuntu1 (admin@192.168.56.11): the address is missing",
    ),
    (
        HOST,
        255,
        "lab: installing packages\nlab: removing packages\n",
        "ubuntu1 (admin@192.168.56.11): was cut off after `removing packages`: run it again",
    ),
    (HOST, 127, "bash: tar: command not found\n", "ubuntu1 (admin@192.168.56.11): bash: tar:"),
    (HOST, 137, "", "ubuntu1 (admin@192.168.56.11): ended with 137"),
]


@pytest.mark.parametrize(("host", "status", "said", "line"), WHYS)
def test_why_there_is_no_answer_is_one_line_with_what_to_do(host, status, said, line):
    found = way.why(host, status, said)
    assert found.startswith(line)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("root", "argv", "given"),
    [
        (Root("root"), ("true",), b""),
        (Root("free"), ("sudo", "--non-interactive", "true"), b""),
        (
            Root("asks", "a secret"),
            ("sudo", "--reset-timestamp", "--stdin", "--prompt=", "true"),
            b"a secret\n",
        ),
    ],
)
def test_a_password_is_given_by_standard_input_alone(root, argv, given):
    assert (root.command(("true",)), root.given) == (argv, given)


def test_a_password_is_shown_by_no_record():
    assert "a secret" not in repr(Root("asks", "a secret"))


def test_no_password_is_asked_for_where_nobody_is():
    with pytest.raises(LabError) as error:
        bring.roots((HOST, BEHIND), {"ubuntu1": FACTS, "ubuntu2": FACTS})
    assert str(error.value) == (
        "ubuntu1 (admin@192.168.56.11), ubuntu2 (root@rack.example.org): sudo asks for a password,"
        " and here is no terminal to ask you at: run this at one, or let that user use sudo without"
    )


def test_ssh_goes_by_lab_yml_alone_and_checks_the_host(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me too")
    found = way.command(BEHIND, ("echo", "a b"))
    options = dict(zip(found[3:-3:2], found[4:-3:2], strict=False))
    assert found[:3] == ("ssh", "-F", "/dev/null")
    assert (options["-p"], options["-i"]) == ("2222", "/home/me/.ssh/rack")
    assert {
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        'UserKnownHostsFile="/home/me too/.ssh/known_hosts"',
    } <= set(found)
    assert found[-3:] == ("root@rack.example.org", "--", "echo 'a b'")


def test_the_way_to_nodes_is_the_lab_s_own_user_and_the_keys_that_were_checked(tmp_path):
    file = tmp_path / "ssh_config"
    file.write_text(kept.ssh_config((HOST, BEHIND)))
    told = subprocess.run(
        ("ssh", "-G", "-F", str(file), "ubuntu2"), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {
        "hostname rack.example.org",
        "user lab-tasks",
        "port 2222",
        "stricthostkeychecking true",
        f"userknownhostsfile {FOLDER}/.lab/known_hosts",
        f"identityfile {FOLDER}/.lab/login_key",
        "identitiesonly yes",
    } <= set(told)
    keys = {"ubuntu1": ("ssh-ed25519 AAAA1",), "ubuntu2": ("ssh-ed25519 AAAA2", "ssh-rsa AAAA3")}
    assert kept.known_hosts((HOST, BEHIND), keys) == (
        "192.168.56.11 ssh-ed25519 AAAA1\n"
        "[rack.example.org]:2222 ssh-ed25519 AAAA2\n"
        "[rack.example.org]:2222 ssh-rsa AAAA3\n"
    )


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(made, "FILE", tmp_path / "machines.json")
    monkeypatch.setattr(kept, "KNOWN_HOSTS", tmp_path / "known_hosts")
    monkeypatch.setattr(kept, "SSH_CONFIG", tmp_path / "ssh_config")
    monkeypatch.setattr(kept, "KEY", tmp_path / "login_key")
    return tmp_path


def test_what_is_written_down_leads_back_to_the_same_hosts(folder):
    text = own_lab(TEXT, more=", port: 2222, key: /home/me/.ssh/rack")
    lab = topology.load(text, {})
    assert not made.on_own_hosts("lab")
    kept.write_down(lab, dict.fromkeys(lab.names, FACTS))
    assert kept.known("lab") == kept.named(lab)
    assert made.on_own_hosts("lab")
    assert made.as_wanted(lab, "")
    assert not made.as_wanted(LAB, "")
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {
        "known_hosts": 0o600,
        "login_key": 0o600,
        "login_key.pub": 0o644,
        "machines.json": 0o600,
        "ssh_config": 0o600,
    }
    own = kept.itself(lab)
    assert own.key == (folder / "login_key.pub").read_text().split()[1]


def test_a_copy_of_a_folder_does_not_have_its_lab(folder, tmp_path):
    kept.write_down(LAB, dict.fromkeys(LAB.names, FACTS))
    own, original = kept.itself(LAB), tmp_path / "original"
    owner = Owner("lab", str(original), own.machine, own.key, "")
    facts = replace(FACTS, owner=owner)
    # Renamed to be this one.
    assert own.has(kept.as_seen_here(facts).owner)
    (original / ".lab").mkdir(parents=True)
    (original / ".lab" / "login_key").symlink_to(folder / "login_key")
    # This one's .lab is a link to that one's, or the other way round.
    assert own.has(kept.as_seen_here(facts).owner)
    (original / ".lab" / "login_key").unlink()
    (original / ".lab" / "login_key").write_text((folder / "login_key").read_text())
    assert not own.has(kept.as_seen_here(facts).owner)
    elsewhere = replace(facts, owner=replace(owner, machine="another"))
    assert own.has(kept.as_seen_here(elsewhere).owner)


ADVICE = [
    ("`vagrant ssh ubuntu1 -c 'sudo docker ps'`", "`ssh -F .lab/ssh_config ubuntu1 'sudo docker"),
    ("`vagrant ssh ubuntu1`, `fab doctor`", "`ssh -F .lab/ssh_config ubuntu1`, `fab doctor`"),
    (
        "run it with `vagrant ssh NODE --command COMMAND`",
        "run it with `ssh -F .lab/ssh_config NODE",
    ),
    ("is not up: run `vagrant up` or `make up`", "is not up: run `make up`"),
    ("see `vagrant status ubuntu2`, bring it up with `make up`", "see that host ubuntu2"),
    ("ubuntu2: off -> vagrant up ubuntu2", "ubuntu2: off -> make up"),
    ("nothing of the kind", "nothing of the kind"),
]


@pytest.mark.parametrize(("said", "instead"), ADVICE)
def test_advice_for_vagrant_s_machines_is_told_for_hosts(said, instead):
    assert for_own_hosts(said).startswith(instead)
    assert "vagrant" not in for_own_hosts(said)


DEFAULT = "default via 10.0.0.1 dev eth0"
ROUTES = [
    (f"{DEFAULT}\n192.168.56.0/24 dev eth1 proto kernel scope link src 192.168.56.1\n", True),
    (f"{DEFAULT}\n192.168.0.0/16 via 10.8.0.1 dev tun0\n", True),
    (f"{DEFAULT}\n", False),
    ("", False),
]


@pytest.mark.parametrize(("routes", "leads"), ROUTES)
def test_nothing_is_sent_where_the_default_route_alone_leads(monkeypatch, tmp_path, routes, leads):
    program = tmp_path / "ip"
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{routes}E\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if leads:
        kept.require_route(LAB)
        return
    with pytest.raises(LabError) as error:
        kept.require_route(LAB)
    assert str(error.value) == (
        "lab.yml: subnet: no route of this machine leads to 192.168.56.0/24 but the default one:"
        " run this in that network, or add a route (`ip route add 192.168.56.0/24 via ROUTER`)"
    )


def test_a_lab_is_not_up_before_it_was_brought_to_its_hosts(folder):
    with pytest.raises(LabError) as error:
        kept.require_up(LAB)
    assert str(error.value) == "the lab 'lab' is not up: run `make up`"


def test_a_lab_does_not_change_its_provider(folder, monkeypatch):
    monkeypatch.setattr(ssh_settings, "known_to_vagrant", lambda: True)
    with pytest.raises(LabError) as error:
        boot.boot(Lab(LAB))
    assert str(error.value) == (
        "lab.yml: machines.provider: ssh: this folder has machines of Vagrant's: leave it out and"
        " `make destroy` first, or use another clone"
    )
    kept.write_down(LAB, dict.fromkeys(LAB.names, FACTS))
    with pytest.raises(LabError) as error:
        boot.boot(Lab(topology.load(TEXT, {})))
    assert str(error.value) == (
        "lab.yml: machines.provider: missing: the lab 'lab' is on hosts of your own: put ssh back,"
        " or `make destroy` first"
    )


@pytest.mark.parametrize(
    ("replaced", "line"),
    [
        (("admin@192.168.56.12", "admin@192.168.56.92"), "lab.yml: nodes.ubuntu2.ssh: 'admin@192"),
        (("192.168.56.12", "192.168.56.12, port: 23"), "lab.yml: nodes.ubuntu2.ssh: 'admin@192"),
        # By another name or user, and the same host.
        (("admin@192.168.56.11", "root@web3"), ""),
    ],
)
def test_lab_yml_leads_to_the_hosts_that_the_lab_is_on(folder, replaced, line):
    kept.write_down(LAB, dict.fromkeys(LAB.names, FACTS))
    other = topology.load(own_lab(TEXT).replace(*replaced), {})
    mine = Owner("lab", "", "", kept.itself(LAB).key, "")
    found = {node: replace(FACTS, owner=None) for node in LAB.names}
    found["ubuntu1"] = replace(FACTS, owner=mine)
    if not line:
        bring.require_same_hosts(other, kept.itself(LAB), found)
        return
    with pytest.raises(LabError) as error:
        bring.require_same_hosts(other, kept.itself(LAB), found)
    assert str(error.value).startswith(line)


def test_a_host_that_lab_yml_no_longer_names_is_not_left_behind(folder):
    kept.write_down(LAB, dict.fromkeys(LAB.names, FACTS))
    text = own_lab(TEXT).replace("ubuntu4", "other4")
    with pytest.raises(LabError) as error:
        bring.require_same_hosts(topology.load(text, {}), kept.itself(LAB), {})
    assert str(error.value).startswith(
        "lab.yml: nodes: ubuntu4 is a node of the lab and not named any more: put it back, take it"
    )
