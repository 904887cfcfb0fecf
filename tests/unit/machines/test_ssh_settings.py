"""SSH's settings are Vagrant's: asked for where they can't be right, and only there."""

import os
import socket
from types import SimpleNamespace

import pytest
from fabric import Connection
from paramiko.ssh_exception import NoValidConnectionsError

from lab import context
from lab.context import Lab
from lab.engine import ssh
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.machines import ownership, ssh_settings, vagrant
from tests.unit.delivered import LAB

KEPT = """\
Host one
  HostName 10.77.77.11
  IdentityFile "/there/key"
Host two
  HostName 127.0.0.1
  Port 2222
  IdentityFile "/there/key"
"""


@pytest.mark.parametrize(
    ("text", "written", "made", "asked"),
    [
        (KEPT, 100, {"one": 90, "two": 100}, ()),
        ("", 100, {"one": 90, "two": 90}, ("one", "two")),
        # Made again since.
        (KEPT, 100, {"one": 90, "two": 100.5}, ("two",)),
        (KEPT, 100, {"one": 90, "two": 90, "three": 90}, ("three",)),
        # No longer made, or by nobody who is known here.
        (KEPT, 100, {"one": 90}, ()),
        (KEPT, 100, {}, ()),
        (KEPT.replace("/there/key", "/gone/key", 1), 100, {"one": 90, "two": 90}, ("one",)),
        (KEPT.replace('  IdentityFile "/there/key"\n', "", 1), 100, {"one": 90}, ("one",)),
        ("\0\0\0", 100, {"one": 90}, ("one",)),
    ],
    ids=["right", "none", "remade", "new", "one", "nothing known", "renamed", "no key", "damaged"],
)
def test_settings_that_can_t_be_right_are_asked_for(text, written, made, asked):
    assert ssh_settings.outdated(text, written, made, "/there/key".__eq__) == asked


# Says how it reaches nodes, but for the one that is `down`; each one's port is in a file.
VAGRANT = """\
#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >>asked
echo "warning: a line of Ruby's"
shift
for node; do
  [ "$node" != "$(cat down)" ] || { echo "not yet ready for SSH"; exit 1; }
  echo "Host $node"
  echo "  HostName 127.0.0.1"
  echo "  Port $(cat "$node")"
  echo "  IdentityFile $0"
  echo
done
"""


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A clone in which Vagrant has made machines, and no task has run before."""
    programs = {"vagrant": VAGRANT, "ip": "#!/bin/sh\n", "docker": "#!/bin/sh\n"}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin" / "down").write_text("none\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    for module in (ownership, ssh_settings, vagrant):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(vagrant, "REPORTS", tmp_path / "reports")
    for module in (context, ssh, ssh_settings):
        monkeypatch.setattr(module, "SSH_CONFIG", tmp_path / ".lab" / "ssh_config")
    monkeypatch.setattr(context, "WAY", ())
    monkeypatch.setattr(ssh_settings, "_asked_again", set())
    return tmp_path


def make(folder, *nodes, provider="docker"):
    for node in nodes:
        machine = folder / ".vagrant" / "machines" / node / provider
        machine.mkdir(parents=True, exist_ok=True)
        (machine / "id").write_text("identity")
        (folder / "bin" / node).write_text("22\n")


def asked(folder):
    """How Vagrant was called since the last time that this was looked at."""
    file = folder / "bin" / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.write_text("")
    return lines


def written(folder):
    """The hosts and ports of the settings."""
    lines = (folder / ".lab" / "ssh_config").read_text().splitlines()
    return [" ".join(line.split()) for line in lines if "Host " in line or "Port" in line]


ONE = ["Host one", "Port 22"]
TWO = ["Host two", "Port 22"]


def test_after_vagrant_up_alone_the_way_to_the_nodes_is_asked_for_once(folder):
    make(folder, "one", "two")
    Lab(LAB).require_up()
    assert asked(folder) == ["ssh-config one two"]
    assert written(folder) == [*ONE, *TWO]
    assert (folder / ".lab" / "ssh_config").stat().st_mode & 0o777 == 0o600
    Lab(LAB).require_up()
    assert asked(folder) == []


def test_only_a_machine_that_was_made_again_is_asked_for_again(folder):
    make(folder, "one", "two")
    Lab(LAB).require_up()
    asked(folder)
    make(folder, "two")
    (folder / "bin" / "two").write_text("2200\n")
    Lab(LAB).require_up()
    assert asked(folder) == ["ssh-config two"]
    assert written(folder) == [*ONE, "Host two", "Port 2200"]


def test_where_one_node_is_down_the_others_are_reached(folder):
    make(folder, "one", "two")
    (folder / "bin" / "down").write_text("one\n")
    Lab(LAB).require_up()
    assert asked(folder) == ["ssh-config one two", "ssh-config one", "ssh-config two"]
    assert written(folder) == TWO


@pytest.mark.parametrize("nodes", [(), ("one",)], ids=["none is made", "none is up"])
def test_without_machines_one_line_says_what_to_run(folder, nodes):
    make(folder, *nodes)
    (folder / "bin" / "down").write_text("one\n")
    with pytest.raises(LabError) as error:
        Lab(LAB).require_up()
    assert str(error.value) == "the lab 'lab' is not up: run `vagrant up` or `make up`"
    assert not (folder / ".lab").exists()


def test_what_vagrant_can_t_say_now_leaves_what_it_said_before(folder):
    make(folder, "one")
    Lab(LAB).require_up()
    make(folder, "one")
    (folder / "bin" / "down").write_text("one\n")
    Lab(LAB).require_up()
    assert written(folder) == ONE


def test_a_node_that_vagrant_has_not_made_is_looked_for_nowhere(folder):
    make(folder, "one")
    Lab(LAB).require_up()
    with pytest.raises(LabError) as error:
        Node("two").run("true")
    assert str(error.value) == (
        "two: no machine of it is known here: run `vagrant up` or `make up`"
    )


@pytest.fixture
def ports(monkeypatch):
    """Those at which a node was looked for: nobody answers but at 2200."""
    tried = []

    def open_(connection):
        tried.append(connection.port)
        if connection.port != 2200:
            raise NoValidConnectionsError(
                {("127.0.0.1", connection.port): ConnectionRefusedError()}
            )
        connection.transport = SimpleNamespace(active=True, sock=socket.socket())

    monkeypatch.setattr(Connection, "open", open_)
    monkeypatch.setattr(Node, "_exchange", exchange)
    return tried


def exchange(node, _):
    with node._reaching():
        return 0, "", ""


NO_ANSWER = "one: no answer over SSH"


@pytest.mark.parametrize(
    ("provider", "port", "seen"),
    [
        ("virtualbox", 2200, (["", ""], [22, 2200], ["ssh-config one"])),
        ("libvirt", 22, ([NO_ANSWER, NO_ANSWER], [22, 22], ["ssh-config one"])),
        # Its address is lab.yml's: it is away, and Vagrant would only take its time.
        ("docker", 2200, ([NO_ANSWER, NO_ANSWER], [22, 22], [])),
    ],
    ids=["another port", "away", "a container"],
)
def test_of_a_virtual_machine_that_does_not_answer_vagrant_is_asked_once(
    folder, ports, provider, port, seen
):
    make(folder, "one", provider=provider)
    Lab(LAB).require_up()
    asked(folder)
    node = Node("one")
    (folder / "bin" / "one").write_text(f"{port}\n")
    answers = [answer(node) for _ in range(2)]
    assert (answers, ports, asked(folder)) == seen


@pytest.mark.usefixtures("ports")
def test_no_packet_waits_for_the_answer_to_the_one_before(folder):
    make(folder, "one", provider="docker")
    (folder / "bin" / "one").write_text("2200\n")
    Lab(LAB).require_up()
    node = Node("one")
    assert answer(node) == ""
    option = node._connection.transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert option == 1


def answer(node):
    """What a command prints, or the beginning of why it could not be run."""
    try:
        return node.attempt("true")[1]
    except LabError as error:
        return str(error).partition(" (")[0]
