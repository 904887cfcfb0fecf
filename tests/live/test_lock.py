"""Two changes of one lab at the same time: the second is refused, and no dead lock stays behind."""

import getpass
import signal
import subprocess
import sys

import pytest

from lab.engine.ssh import wait_until
from lab.errors import LabError
from tests.conftest import TOPOLOGY
from tests.unit.cli.test_commands import fab

HOLDER = """
import sys
from lab.context import Lab
with Lab().changing("of a test"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_change_is_refused_with_who_since_when_and_how_to_end_it(running):
    with running.changing("of a test"):
        ended = fab("init")
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("lab: another task changes this lab: fab of a test by ")
    assert getpass.getuser() in line
    assert " since " in line
    assert line.endswith(f"on {TOPOLOGY.builder} to end it")
    assert fab("init").returncode == 0


def test_a_killed_task_leaves_no_lock_behind(running):
    with subprocess.Popen(
        (sys.executable, "-c", HOLDER), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LabError), running.changing("of a test"):
            pass
        holder.send_signal(signal.SIGKILL)

    def free():
        try:
            with running.changing("of a test"):
                return True
        except LabError:
            return False

    wait_until("the lock", free, bool, seconds=10, advice=lambda _: "lab-lock on the builder")
