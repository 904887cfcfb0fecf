"""Whose a lab is, and what Vagrant and the tasks say of one that is another folder's."""

import os

import pytest

from lab import context
from lab.config import topology
from lab.context import Lab
from lab.errors import LabError
from lab.machines import ownership, ssh_settings
from lab.machines.ownership import Machine
from tests.unit import ruby
from tests.unit.delivered import TEXT

SINCE = "2026-11-30 10:09"

# (the folder that made it, whether Vagrant knows it here, whose it is)
WHOSE = [
    ("here", True, "own"),
    ("here", False, "lost"),
    ("link to here", True, "own"),
    ("link to here", False, "lost"),
    # Another work tree of the same lab.
    ("with the same .vagrant", True, "own"),
    ("other", False, "another"),
    # A copy of a folder has its .vagrant, and is not that folder.
    ("other", True, "another"),
    ("removed", False, "gone"),
    # Renamed: it is here now.
    ("removed", True, "own"),
    # A disk that is not mounted, or what Docker made for the login key's sake.
    ("empty", False, "gone"),
    ("empty", True, "own"),
    ("file", False, "gone"),
    # What can't be looked into may be there.
    ("endless", False, "another"),
    ("", False, "gone"),
]

ANOTHER = "boot another one with LAB_NAME=two LAB_SUBNET=192.168.57.0/24"
REPLACE = "or have it replaced, its data too: `LAB_REPLACE=yes make up`"
# (the folder, running, known, what Vagrant says before it replaces the lab, or None)
REFUSALS = [
    (
        "other",
        True,
        False,
        f"the lab 'lab' belongs to ROOT/other, and runs since {SINCE}: {ANOTHER},"
        f" remove that one by `make destroy` in its folder, {REPLACE}",
    ),
    (
        "other",
        False,
        False,
        f"the lab 'lab' belongs to ROOT/other, and is halted since {SINCE}: {ANOTHER},"
        f" remove that one by `make destroy` in its folder, {REPLACE}",
    ),
    (
        "other",
        True,
        True,
        f"the lab 'lab' belongs to ROOT/other, and runs since {SINCE}: remove .lab and .vagrant"
        f" here, which are copies, and {ANOTHER},"
        f" remove that one by `make destroy` in its folder, {REPLACE}",
    ),
    (
        "removed",
        True,
        False,
        "the lab 'lab' belongs to ROOT/removed, which is not there (renamed, or not mounted?),"
        f" and runs since {SINCE}: {ANOTHER}, bring that folder back, {REPLACE}",
    ),
    ("removed", False, False, None),
    ("empty", False, False, None),
    (
        "here",
        False,
        False,
        "the lab 'lab' belongs to this folder, whose .vagrant does not know it any more,"
        f" and is halted since {SINCE}: {ANOTHER} in another clone, remove it by `make destroy`,"
        f" {REPLACE}",
    ),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Folders that have, had or never had a lab."""
    root = tmp_path_factory.mktemp("root")
    for folder in ("here", "other", "with the same .vagrant"):
        (root / folder).mkdir()
        (root / folder / "Vagrantfile").touch()
    (root / "here" / ".vagrant").mkdir()
    (root / "other" / ".vagrant").mkdir()
    (root / "with the same .vagrant" / ".vagrant").symlink_to(root / "here" / ".vagrant")
    (root / "link to here").symlink_to(root / "here")
    (root / "empty").mkdir()
    (root / "file").touch()
    (root / "endless").symlink_to(root / "endless")
    return root


def machine(root, folder, *, known, running=True):
    return Machine("1", str(root / folder) if folder else "", running=running, known=known)


@pytest.mark.parametrize(("folder", "known", "whose"), WHOSE)
def test_a_lab_is_its_folder_s(root, folder, known, whose):
    assert ownership.whose(machine(root, folder, known=known), root / "here") == whose


def test_vagrant_sees_it_alike(root):
    program = """
    require './provision/ownership'
    here, nodes = given
    puts JSON.generate(nodes.map do |folder, known|
      Ownership.whose(Ownership::Node.new(folder:, known:), here)
    end)
    """
    nodes = [(str(root / folder) if folder else "", known) for folder, known, _ in WHOSE]
    found = ruby.ask(program, [str(root / "here"), nodes])
    assert found == [whose for _, _, whose in WHOSE]


def test_vagrant_refuses_to_replace_what_holds_data(root):
    program = """
    require './provision/ownership'
    here, since, nodes = given
    puts JSON.generate(nodes.map do |folder, running, known|
      Ownership.refusal('lab', [Ownership::Node.new(folder:, running:, known:)], here, since)
    end)
    """
    nodes = [(str(root / folder), running, known) for folder, running, known, _ in REFUSALS]
    found = ruby.ask(program, [str(root / "here"), SINCE, nodes])
    wanted = [line and line.replace("ROOT", str(root)) for *_, line in REFUSALS]
    assert found == wanted


def test_one_node_that_runs_or_whose_folder_is_there_keeps_all():
    """Of a lab whose folder is gone the rest is halted; or of two labs' nodes one is another's."""
    program = """
    require './provision/ownership'
    puts JSON.generate(given.map do |nodes|
      found = nodes.map { |folder, running| Ownership::Node.new(folder:, running:, known: false) }
      Ownership.refusal('lab', found, '/here', 'then').to_s
    end)
    """
    gone, other = "/removed", "."
    one, two, three = ruby.ask(
        program,
        [
            [(gone, False), (gone, True)],
            [(gone, False), (other, False)],
            [(gone, False), (gone, False)],
        ],
    )
    assert one.startswith("the lab 'lab' belongs to /removed, which is not there")
    assert two.startswith("the lab 'lab' belongs to ., and is halted since then")
    assert three == ""


@pytest.mark.parametrize(
    ("folder", "running", "line"),
    [
        (
            "other",
            True,
            f"the lab 'lab' belongs to ROOT/other and runs since {SINCE}: use it there,"
            " or have one of your own here with another LAB_NAME and LAB_SUBNET",
        ),
        (
            "other",
            False,
            f"the lab 'lab' belongs to ROOT/other and is halted since {SINCE}: use it there,"
            " or have one of your own here with another LAB_NAME and LAB_SUBNET",
        ),
        (
            "removed",
            True,
            "the lab 'lab' belongs to ROOT/removed, which is not there (renamed, or not mounted?),"
            f" and runs since {SINCE}: bring that folder back,"
            " or have one of your own here with another LAB_NAME and LAB_SUBNET",
        ),
    ],
)
def test_a_task_says_whose_the_lab_is(root, folder, running, line):
    found = (machine(root, folder, known=False, running=running),)
    said = ownership.refusal("lab", found, SINCE)
    assert said == line.replace("ROOT", str(root))


WARNING = "WARNING: Error loading config file: /root/.docker/config.json: permission denied"
DOCKER = f"""#!/bin/sh
echo "{WARNING}" >&2
echo "$*" >>"$(dirname "$0")/asked"
case "$*" in
ps*) printf '%s\\n' 'c1 running /removed' 'c2 exited /removed' ;;
inspect*lab.name*) echo "lab 192.168.56.0/24" ;;
inspect*) echo 2026-11-30T10:09:07.123456789Z ;;
"network ls"*) printf '%s\\n' n1 n2 ;;
"network inspect"*) echo '[{{"Name": "lab"}}]' ;;
"image inspect"*) echo missing >&2; exit 1 ;;
esac
"""


@pytest.fixture
def docker(tmp_path):
    """A PATH with a Docker that warns of something whatever it is asked."""
    path = tmp_path / "bin" / "docker"
    path.parent.mkdir()
    path.write_text(DOCKER)
    path.chmod(0o755)
    search = f"{path.parent}:{os.environ['PATH']}"
    return {"PATH": search, "TZ": "UTC", "LAB_NAME": "lab", "LAB_SUBNET": "192.168.56.0/24"}


def test_what_docker_warns_of_is_no_part_of_its_answer(docker, tmp_path):
    program = """
    require './provision/lab'
    def Lab.known = ['c1']
    Lab.check_own_lab
    found = Lab.nodes
    Lab.replace_strangers
    failed = Lab.docker('image', 'inspect')
    puts JSON.generate([found.map(&:to_a), Lab.since(found), Lab.docker_networks, failed])
    """
    nodes, since, networks, failed = ruby.ask(program, **docker)
    assert nodes == [["c1", "/removed", True, True], ["c2", "/removed", False, False]]
    assert since == "2026-11-30 10:09"
    assert networks == [{"Name": "lab"}]
    assert failed == [f"{WARNING}\nmissing\n", False]
    asked = (tmp_path / "bin" / "asked").read_text().splitlines()
    assert "rm --force --volumes c2" in asked
    assert "network inspect n1 n2" in asked
    assert not [line for line in asked if "WARNING" in line]


def test_that_docker_fails_is_not_taken_for_a_lab_without_nodes(docker, tmp_path):
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\necho it is away >&2\nexit 1\n")
    program = """
    require './provision/lab'
    $stderr = StringIO.new
    begin
      Lab.nodes
    rescue SystemExit
      puts JSON.generate($stderr.string)
    end
    """
    assert ruby.ask(program, **docker) == (
        "lab: `docker ps` failed (it is away): see `docker info`\n"
    )


DENIED = (
    "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock"
)
NOT_TOLD = (
    "the lab 'lab' is not up from here, and whether another folder has it can't be told:"
    f" Docker does not answer ({DENIED}): run `make up`, which says what to do"
)
NOT_UP = "the lab 'lab' is not up: run `vagrant up` or `make up`"


@pytest.mark.parametrize(
    ("docker", "way", "told"),
    [
        (f"#!/bin/sh\necho warned >&2\necho '{DENIED}' >&2\nexit 1\n", "", NOT_TOLD),
        # Who may not use Docker may use the lab all the same.
        (f"#!/bin/sh\necho '{DENIED}' >&2\nexit 1\n", "ssh_config", NOT_UP),
        ("#!/bin/sh\n", "", NOT_UP),
        # Nodes that are virtual machines need none.
        (None, "", NOT_UP),
        (f"#!/bin/sh\necho '{DENIED}' >&2\nexit 1\n", ".vagrant/machines/one/libvirt/id", NOT_UP),
    ],
    ids=["denied", "denied, with a way to the nodes", "no nodes", "no Docker", "denied, no matter"],
)
def test_a_docker_that_does_not_answer_is_not_one_without_nodes(
    monkeypatch, tmp_path, docker, way, told
):
    programs = {"ip": "#!/bin/sh\nexit 2\n", "docker": docker}
    for name, text in programs.items():
        if text:
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
    if way:
        (tmp_path / way).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / way).touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(context, "SSH_CONFIG", tmp_path / "ssh_config")
    monkeypatch.setattr(ssh_settings, "FOLDER", tmp_path)
    with pytest.raises(LabError) as error:
        Lab(topology.load(TEXT, {})).require_up()
    assert str(error.value) == told
