"""hears-another.sh, with addresses of this machine: what a cut does to it, the drills show."""

import subprocess

import pytest

from lab.topology import FOLDER

SCRIPT = FOLDER / "images" / "haproxy" / "hears-another.sh"
# Of a class that no machine can have, so that the kernel refuses at once.
NOBODY, REFUSES = "240.0.0.1", "127.0.0.1"


@pytest.mark.parametrize(
    ("addresses", "status"),
    [
        ((REFUSES,), 0),
        ((NOBODY, REFUSES), 0),
        ((REFUSES, NOBODY, NOBODY), 0),
        ((NOBODY,), 1),
        ((NOBODY, NOBODY, NOBODY), 1),
        ((), 1),
    ],
)
def test_a_node_that_refuses_is_heard_and_one_that_is_not_there_is_not(addresses, status):
    assert subprocess.run(("bash", SCRIPT, *addresses), check=False).returncode == status
