"""lab-names: what becomes of the /etc/hosts that Docker, Vagrant or a person has written."""

import os
import subprocess

import pytest

from lab.config.paths import FOLDER

SCRIPT = FOLDER / "provision" / "node" / "sbin" / "lab-names"
NAMES = "10.0.0.11 ubuntu1\n10.0.0.12 ubuntu2\n"
OURS = "10.0.0.11 ubuntu1 # lab\n10.0.0.12 ubuntu2 # lab\n"


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "etc/lab").mkdir(parents=True)
    (tmp_path / "etc/lab/hosts").write_text(NAMES)
    return tmp_path / "etc"


def named(etc):
    environment = os.environ | {"LAB_ROOT": str(etc.parent)}
    subprocess.run((SCRIPT,), env=environment, check=True)
    return (etc / "hosts").read_text()


@pytest.mark.parametrize(
    ("before", "others"),
    [
        ("127.0.0.1\tlocalhost\n", "127.0.0.1\tlocalhost\n"),
        # Docker's, of a machine that an earlier version made.
        (
            "127.0.0.1\tlocalhost\n10.0.0.11\tubuntu1\n10.0.0.12\tubuntu2\n10.0.0.11\tubuntu1\n",
            "127.0.0.1\tlocalhost\n",
        ),
        # Vagrant's of a virtual machine.
        ("127.0.0.1 localhost\n127.0.2.1 ubuntu1 ubuntu1\n", "127.0.0.1 localhost\n"),
        # Some installers'.
        (
            "127.0.0.1 localhost ubuntu1\n127.0.1.1 ubuntu1.example.org ubuntu1\n",
            "127.0.0.1 localhost\n127.0.1.1 ubuntu1.example.org\n",
        ),
        # Of a node that has gone, and of one that has moved.
        (
            "127.0.0.1 localhost\n10.0.0.9 ubuntu1 # lab\n10.0.0.15 ubuntu5 # lab\n",
            "127.0.0.1 localhost\n",
        ),
        (
            "# ubuntu1 is ours\n\n192.0.2.1  ubuntu11 my-ubuntu1\n",
            "# ubuntu1 is ours\n\n192.0.2.1  ubuntu11 my-ubuntu1\n",
        ),
    ],
    ids=["fresh", "by Docker", "by Vagrant", "with others", "of before", "nobody's"],
)
def test_each_node_s_name_is_its_address_on_the_lab_s_network_alone(etc, before, others):
    (etc / "hosts").write_text(before)
    assert named(etc) == others + OURS


def test_again_writes_nothing(etc):
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    first = named(etc)
    os.utime(etc / "hosts", (1, 1))
    assert named(etc) == first
    assert (etc / "hosts").stat().st_mtime == 1


def test_it_is_written_where_it_lies_as_docker_mounts_it(etc):
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    before = (etc / "hosts").stat().st_ino
    named(etc)
    assert (etc / "hosts").stat().st_ino == before
