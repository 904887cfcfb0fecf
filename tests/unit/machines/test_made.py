"""What machines are called and made with: Vagrant writes it down and refuses, the tasks read it."""

import json
import os
import re
import shutil
import stat
import subprocess

import pytest

from lab.config import topology
from lab.config.paths import FOLDER
from lab.config.topology import NodeSettings
from lab.context import Lab
from lab.errors import LabError
from lab.lifecycle import boot, destroy
from lab.machines import made, ownership, ssh_settings
from lab.machines.made import MadeFrom
from tests.unit import ruby
from tests.unit.delivered import LAB, TEXT

# Of a lab of two nodes, as Docker has one of them; what nobody here asks for is left out.
CONTAINER = {
    "Id": "1" * 64,
    "Name": "/lab-one",
    "State": {"Status": "running"},
    "HostConfig": {
        "Binds": [
            "lab-builder:/var/cache/lab/builder",
            "lab-registry:/var/cache/lab/registry",
            "/home/someone/lab/.lab/login_key.pub:/etc/ssh/lab_login_key.pub:ro",
        ],
        # Of an earlier version, which named the nodes of that day when it made one.
        "ExtraHosts": ["one:10.77.77.11", "six:10.77.77.16"],
        "Memory": 2147483648,
    },
    "Config": {"Image": "lab-node:TAG", "Labels": {"lab.name": "lab"}},
    "NetworkSettings": {"Networks": {"lab": {"IPAMConfig": {"IPv4Address": "10.77.77.11"}}}},
}
OTHER = {
    "Id": "2" * 64,
    "Name": "/lab-two",
    "State": {"Status": "running"},
    "HostConfig": {
        "Binds": ["/home/someone/lab/.lab/login_key.pub:/etc/ssh/lab_login_key.pub:ro"],
        "Memory": 1073741824,
    },
    "Config": {"Image": "lab-node:TAG", "Labels": {"lab.name": "lab"}},
    "NetworkSettings": {"Networks": {"lab": {"IPAMConfig": {"IPv4Address": "10.77.77.12"}}}},
}
ONE = {
    "name": "lab-one",
    "address": "10.77.77.11",
    "memory": 2048,
    "image": "lab-node:TAG",
    "volumes": ["lab-builder:/var/cache/lab/builder", "lab-registry:/var/cache/lab/registry"],
}
TWO = {
    "name": "lab-two",
    "address": "10.77.77.12",
    "memory": 1024,
    "image": "lab-node:TAG",
    "volumes": [],
}
SETTINGS = """
subnet: 192.168.56.0/24
builder: one
nodes:
  one: {host: 11, memory: 2048}
  two: {host: 12, memory: 1024}
"""
MADE_FROM = {
    "subnet": "10.77.77.0/24",
    "builder": "one",
    "nodes": {"one": {"host": 11, "memory": 2048}, "two": {"host": 12, "memory": 1024}},
    "image": "TAG",
}
WRITTEN = {
    "name": "lab",
    "provider": "docker",
    "made_from": MADE_FROM,
    "machines": {"one": ONE, "two": TWO},
}


def made_with(node, what):
    return (
        f"{node} was made with another {what} than is wanted now: `vagrant destroy -f {node}`,"
        " then `make up`; what it holds of the databases comes back from the other nodes."
        " One node at a time"
    )


REMOVED = (
    "lab.yml: nodes: {0} is booted and not named any more: put it back, take it out of mysql,"
    " cassandra, balancers and web, run `make up` (it hands its data over),"
    " `vagrant destroy -f {0}`, and only then take it out of nodes"
)

# (what the machines that are there were made with, what Vagrant says, or None)
REFUSALS = [
    ({"one": ONE, "two": TWO}, None),
    ({"one": ONE, "two": TWO | {"memory": 2048}}, made_with("two", "memory")),
    ({"one": ONE, "two": TWO | {"image": "lab-node:old"}}, made_with("two", "image")),
    ({"one": ONE | {"volumes": []}, "two": TWO}, made_with("one", "builder")),
    ({"one": ONE, "two": TWO | {"volumes": ONE["volumes"]}}, made_with("two", "builder")),
    ({"one": ONE, "two": TWO | {"address": "10.77.77.13"}}, made_with("two", "address")),
    ({"one": ONE, "two": TWO | {"address": None}}, made_with("two", "address")),
    (
        {"one": ONE, "two": TWO | {"memory": 512, "image": "old"}},
        made_with("two", "memory and image"),
    ),
    # One at a time, and none while another is away.
    (
        {"one": ONE | {"memory": 1024}, "two": TWO | {"memory": 512}},
        made_with("one", "memory"),
    ),
    ({"two": TWO | {"memory": 512}}, None),
    ({}, None),
]


def test_what_a_container_was_made_with_is_docker_s_to_say():
    program = """
    require './provision/machines'
    puts JSON.generate(given.map { |container| Machines.made(container) })
    """
    alone = CONTAINER | {"NetworkSettings": {"Networks": {}}}
    found = ruby.ask(program, [CONTAINER, OTHER, alone])
    assert found == [ONE, TWO, ONE | {"address": None}]


def test_vagrant_refuses_a_machine_that_is_to_be_made_with_something_else():
    found = ruby.refusals({"one": ONE, "two": TWO}, [machines for machines, _ in REFUSALS])
    assert found == [line for _, line in REFUSALS]


def test_vagrant_refuses_to_leave_a_machine_behind():
    program = """
    require './provision/machines'
    puts JSON.generate(given.map { |known| Machines.removed(known, %w[one two]) })
    """
    found = ruby.ask(program, [[], ["one"], ["two", "one"], ["two", "six", "five"]])
    assert found == [None, None, None, REMOVED.format("five")]


# Whatever changes something, is none of the questions, and fails.
DOCKER = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
case "$*" in
info*) echo 1 ;;
ps*) cat "$here/listed" ;;
"inspect --type container"*) cat "$here/inspected"; exit 1 ;;
"inspect --format {{index .Config.Labels"*) echo "lab 10.77.77.0/24" ;;
"network ls"*) echo n1 ;;
"network inspect"*)
  echo '[{"Name": "lab", "Labels": {"lab.name": "lab"},
    "IPAM": {"Config": [{"Subnet": "10.77.77.0/24"}]}}]' ;;
"image inspect"*) ;;
*) exit 1 ;;
esac
"""


class Folder:
    """A lab's folder with Vagrant's half of it, and a Docker that only tells."""

    def __init__(self, path):
        self.path, self.bin = path / "lab", path / "bin"
        shutil.copytree(FOLDER / "provision", self.path / "provision")
        (self.path / "lab.yml").write_text(SETTINGS)
        self.bin.mkdir()
        (self.bin / "docker").write_text(DOCKER)
        (self.bin / "ip").write_text("#!/bin/sh\n")
        digest = self.path / "provision" / "node-digest"
        digest.write_text('#!/bin/sh\n[ "$1" != image ] || echo TAG\n')
        for program in (*self.bin.iterdir(), digest):
            program.chmod(0o755)
        self.file = self.path / ".lab" / "machines.json"

    def has(self, *containers, known=("one", "two"), of=None):
        """These containers run, made by a folder, and these are Vagrant's machines."""
        listed = "".join(f"{one['Id']} running {of or self.path}\n" for one in containers)
        (self.bin / "listed").write_text(listed)
        (self.bin / "inspected").write_text(json.dumps(containers))
        shutil.rmtree(self.path / ".vagrant", ignore_errors=True)
        for node in known:
            file = self.path / ".vagrant" / "machines" / node / "docker" / "id"
            file.parent.mkdir(parents=True)
            file.write_text({"one": "1", "two": "2", "three": "3"}[node] * 64)

    def check(self, command="up", provider="docker", **more):
        """What Vagrant says before it does so, a line."""
        inherited = {name: value for name, value in os.environ.items() if name != "LAB_REPLACE"}
        environment = inherited | {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "VAGRANT_DEFAULT_PROVIDER": provider,
            "LAB_NAME": "lab",
            "LAB_SUBNET": "10.77.77.0/24",
            **more,
        }
        # How much room this machine has is another matter.
        program = (
            f"ARGV.replace(%w[{command}]); require './provision/lab';"
            f" def Lab.check_room; end; Lab.check('{command}')"
        )
        done = subprocess.run(
            (ruby.RUBY, "-e", program),
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stderr.rstrip("\n")
        goes_on = said == "" or said.startswith("lab: replacing ")
        assert (done.returncode == 0) == goes_on, said
        return said

    @property
    def changed(self):
        """What Docker was told beside what it was asked."""
        asked = (self.bin / "asked").read_text() if (self.bin / "asked").exists() else ""
        changing = r"^(?:rm|kill|run|create|(?:network|volume|image) (?:rm|create)).*"
        return re.findall(changing, asked, re.MULTILINE)

    @property
    def written(self):
        return json.loads(self.file.read_text())


@pytest.fixture
def folder(tmp_path):
    if ruby.RUBY is None:
        pytest.skip("there is no Ruby on this machine yet: `make up` installs Vagrant")
    return Folder(tmp_path)


@pytest.mark.parametrize(
    "containers", [(), (CONTAINER,), (CONTAINER, OTHER)], ids=["none", "one", "all of a day before"]
)
def test_vagrant_up_writes_what_the_machines_are_or_will_be_made_with(folder, containers):
    known = ("one", "two")[: len(containers)]
    folder.has(*containers, known=known)
    assert folder.check() == ""
    assert folder.written == WRITTEN
    assert stat.S_IMODE(folder.file.parent.stat().st_mode) == 0o700
    before = folder.file.stat()
    assert folder.check() == ""
    assert folder.file.stat().st_ino == before.st_ino
    assert folder.changed == []
    assert [one.name for one in folder.file.parent.iterdir()] == ["machines.json"]


def test_vagrant_up_refuses_and_leaves_what_is_written(folder):
    folder.has(CONTAINER, OTHER)
    assert folder.check() == ""
    settings = folder.path / "lab.yml"
    settings.write_text(SETTINGS.replace("2048", "4096"))
    assert folder.check() == f"lab: {made_with('one', 'memory')}"
    settings.write_text(SETTINGS.replace("  two: {host: 12, memory: 1024}\n", ""))
    assert folder.check() == f"lab: {REMOVED.format('two')}"
    assert folder.written == WRITTEN
    assert folder.changed == []


def test_a_node_comes_and_goes_and_no_other_is_made_anew(folder):
    folder.has(CONTAINER, OTHER)
    settings = folder.path / "lab.yml"
    settings.write_text(SETTINGS + "  three: {host: 13, memory: 2048}\n")
    assert folder.check() == ""
    three = {
        "name": "lab-three",
        "address": "10.77.77.13",
        "memory": 2048,
        "image": "lab-node:TAG",
        "volumes": [],
    }
    assert folder.written["machines"] == {"one": ONE, "two": TWO, "three": three}
    assert folder.written["made_from"]["nodes"]["three"] == {"host": 13, "memory": 2048}
    settings.write_text(SETTINGS)
    assert folder.check() == ""
    assert folder.written == WRITTEN
    assert folder.changed == []


def test_another_folder_s_machines_are_not_to_be_made_anew(folder):
    # This one is a copy of that one, .vagrant and all.
    folder.has(CONTAINER, OTHER, of=FOLDER)
    settings = folder.path / "lab.yml"
    settings.write_text(SETTINGS.replace("  two: {host: 12, memory: 1024}\n", ""))
    assert folder.check().startswith(f"lab: the lab 'lab' belongs to {FOLDER}, and runs since ")
    assert (folder.changed, folder.file.exists()) == ([], False)
    settings.write_text(SETTINGS.replace("2048", "4096"))
    said = folder.check(LAB_REPLACE="yes")
    assert said == f"lab: replacing the lab 'lab' of {FOLDER} (2 nodes)"
    assert folder.changed == [f"rm --force --volumes {'1' * 64} {'2' * 64}"]


def test_while_one_is_made_anew_the_others_are_told_as_they_were_made(folder):
    more = SETTINGS.replace("2048", "4096").replace("1024", "2048")
    (folder.path / "lab.yml").write_text(more)
    folder.has(OTHER, known=("two",))
    assert folder.check() == ""
    assert folder.written == WRITTEN | {
        "made_from": None,
        "machines": {"one": ONE | {"memory": 4096}, "two": TWO},
    }
    # Vagrant knows one that was removed behind its back.
    folder.has(OTHER)
    assert folder.check() == ""
    anew = CONTAINER | {"HostConfig": CONTAINER["HostConfig"] | {"Memory": 4294967296}}
    folder.has(anew, OTHER)
    assert folder.check() == f"lab: {made_with('two', 'memory')}"


@pytest.mark.parametrize("command", ["halt", "destroy", "provision", "status", "ssh"])
def test_nothing_is_written_but_by_up(folder, command):
    folder.has(CONTAINER, OTHER)
    assert folder.check(command) == ""
    assert not folder.file.exists()


def test_a_folder_that_can_t_be_written_to_is_named(folder):
    folder.has()
    folder.file.parent.touch()
    assert folder.check().startswith(f"lab: {folder.file} can't be written: ")


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Where the tasks look for it."""
    path = tmp_path / ".lab" / "machines.json"
    path.parent.mkdir()
    monkeypatch.setattr(made, "FILE", path)
    return path


def test_the_tasks_read_what_vagrant_wrote(file):
    file.write_text(json.dumps(WRITTEN))
    found = made.load("lab")
    assert found.provider == "docker"
    assert (found.container("one"), found.container("two")) == ("lab-one", "lab-two")
    assert found.volumes == ("lab-builder", "lab-registry")
    assert found.made_from == MadeFrom(
        subnet="10.77.77.0/24",
        builder="one",
        nodes={
            "one": NodeSettings(host=11, memory=2048),
            "two": NodeSettings(host=12, memory=1024),
        },
        image="TAG",
    )
    with pytest.raises(LabError) as error:
        found.container("three")
    assert str(error.value) == "three is not made yet: run `make up`"


def test_a_virtual_machine_is_no_container(file):
    file.write_text(json.dumps(WRITTEN | {"provider": "libvirt"}))
    found = made.load("lab")
    assert (found.called("one"), found.container("one")) == ("lab-one", "")


UNTOLD = "nothing tells of the machines of the lab 'lab' (no .lab/machines.json): run `make up`"
DAMAGED = "FILE is damaged: run `make up`, which writes it anew"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, UNTOLD),
        ("", DAMAGED),
        ('{"name": "lab", "prov', DAMAGED),
        ("[]", DAMAGED),
        ("\0", DAMAGED),
        (json.dumps(WRITTEN | {"machines": {}}), DAMAGED),
        (json.dumps(WRITTEN | {"machines": {"one": {"address": "10.77.77.11"}}}), DAMAGED),
        (json.dumps(WRITTEN | {"made_from": {"subnet": "10.77.77.0/24"}}), DAMAGED),
        (
            json.dumps(WRITTEN | {"name": "two"}),
            "FILE tells of the lab 'two', not of 'lab': run `make up`",
        ),
    ],
    ids=["missing", "empty", "cut off", "a list", "zeroes", "none", "no name", "half", "another"],
)
def test_what_tells_nothing_is_refused_in_a_line(file, text, said):
    if text is not None:
        file.write_text(text)
    with pytest.raises(LabError) as error:
        made.load("lab")
    assert str(error.value) == said.replace("FILE", str(file))


# Of the lab as it is delivered (tests/unit/lab.yml).
DELIVERED = {
    "name": "lab",
    "provider": "docker",
    "made_from": {
        "subnet": "192.168.56.0/24",
        "builder": "ubuntu1",
        "nodes": {
            "ubuntu1": {"host": 11, "memory": 4096},
            "ubuntu2": {"host": 12, "memory": 3072},
            "ubuntu3": {"host": 13, "memory": 3072},
            "ubuntu4": {"host": 14, "memory": 2048},
        },
        "image": "TAG",
    },
    "machines": {"ubuntu1": {"name": "lab-ubuntu1", "volumes": []}},
}


@pytest.mark.parametrize(
    ("change", "environment", "image", "wanted"),
    [
        (None, {}, "TAG", True),
        # What machines are not made from.
        (("virtual_host: 10", "virtual_host: 20"), {}, "TAG", True),
        (("host: 12, memory: 3072", "host: 12, memory: 4096"), {}, "TAG", False),
        (("host: 12, memory: 3072", "host: 22, memory: 3072"), {}, "TAG", False),
        (("nodes: ", "nodes:\n  ubuntu5: {host: 15, memory: 2048} "), {}, "TAG", False),
        (("builder: ubuntu1", "builder: ubuntu2"), {}, "TAG", False),
        (None, {"LAB_SUBNET": "192.168.57.0/24"}, "TAG", False),
        (None, {"LAB_NAME": "two"}, "TAG", False),
        (None, {}, "NEW", False),
        (("builder: ubuntu1", "machines: {cpus: 4}\nbuilder: ubuntu1"), {}, "TAG", False),
    ],
    ids=["same", "else", "memory", "host", "added", "builder", "subnet", "name", "image", "cpus"],
)
def test_machines_are_as_wanted_or_not(file, change, environment, image, wanted):
    file.write_text(json.dumps(DELIVERED))
    old, new = change or ("", "")
    text = TEXT.replace(old, new, 1)
    assert (text != TEXT) == (change is not None)
    assert made.as_wanted(topology.load(text, environment), image) == wanted


@pytest.mark.parametrize("text", [None, "damaged", json.dumps(DELIVERED | {"made_from": None})])
def test_what_is_not_known_is_not_as_wanted(file, text):
    if text:
        file.write_text(text)
    assert not made.as_wanted(LAB, "TAG")


@pytest.mark.parametrize(
    ("text", "answer", "started"),
    [
        (json.dumps(DELIVERED), True, []),
        (json.dumps(DELIVERED), False, ["up", "ssh-config"]),
        # A lab that was booted before this was written.
        (None, True, ["up", "ssh-config"]),
        # Others may differ that no one has named yet.
        (json.dumps(DELIVERED | {"made_from": None}), True, ["up", "ssh-config"]),
    ],
    ids=["all well", "a node is away", "of a day before", "not all as wanted"],
)
def test_vagrant_is_started_only_where_it_has_something_to_do(
    file, monkeypatch, text, answer, started
):
    if text:
        file.write_text(text)
    ran = []
    monkeypatch.setattr(boot, "_node_digest", lambda *_: "TAG\n")
    monkeypatch.setattr(boot, "all_answer", lambda _: answer)
    monkeypatch.setattr(boot, "vagrant", lambda *arguments: ran.append(*arguments) or ())
    monkeypatch.setattr(ssh_settings, "renew", lambda _: ran.append("ssh-config"))
    monkeypatch.setattr(Lab, "nodes", {})
    boot.boot(Lab(LAB))
    assert ran == started


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            json.dumps(WRITTEN),
            "removed; caches stay in Docker's volumes lab-builder and lab-registry",
        ),
        (json.dumps(WRITTEN | {"machines": {"two": TWO}}), "removed"),
        (json.dumps(WRITTEN | {"provider": "libvirt", "machines": {"two": TWO}}), "removed"),
        # Its folder's .lab is lost.
        (None, "removed"),
    ],
    ids=["with caches", "without", "virtual", "not written"],
)
def test_what_stays_of_a_lab_is_said_and_what_was_written_of_it_goes(
    file, monkeypatch, capsys, text, said
):
    folder = file.parent.parent
    (folder / "bin").mkdir()
    for program in ("vagrant", "docker"):
        (folder / "bin" / program).write_text('#!/bin/sh\n: >"$0-asked"\n')
        (folder / "bin" / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin", prepend=os.pathsep)
    for module in (destroy, ownership):
        monkeypatch.setattr(module, "FOLDER", folder)
    if text:
        file.write_text(text)
    destroy.destroy(Lab(LAB))
    assert capsys.readouterr().err.rstrip("\n").endswith(f" {said}")
    assert list(file.parent.iterdir()) == []
    # Docker is no business of virtual machines.
    assert (folder / "bin" / "docker-asked").exists() == ("libvirt" not in (text or ""))
