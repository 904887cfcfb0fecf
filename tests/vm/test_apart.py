"""What runs apart is seen by nobody else, and ends with it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lab.config.paths import FOLDER

APART = str(FOLDER / "tests" / "vm" / "apart")
# A daemon, as libvirt's machines are, an interface and a firewall's rule.
LEAVING = """
setsid --fork sleep {seconds}
ip link add left type bridge
iptables -A INPUT -s 192.0.2.1 -j DROP
virsh --connect qemu:///system list --name
echo ready
sleep {seconds}
"""
# No other process has this one's argument, not even one of another run.
SECONDS = f"86399.{os.getpid()}"


def sleeping():
    lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [line for line in lines if line == f"sleep\0{SECONDS}\0".encode()]


def state():
    commands = (("ip", "-brief", "link"), ("iptables-save",))
    shown = [subprocess.run(c, capture_output=True, text=True, check=True).stdout for c in commands]
    # When it was asked, and how much passed since.
    return [line for text in shown for line in text.splitlines() if line[:1] not in "#:"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
def test_whatever_ends_it_nothing_is_left(tmp_path, end):
    before = state()
    command = (APART, str(tmp_path), "bash", "-c", LEAVING.format(seconds=SECONDS))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as apart:
        try:
            assert apart.stdout.readline() == "\n"
            assert apart.stdout.readline() == "ready\n"
            assert len(sleeping()) == 2
            assert state() == before
            apart.send_signal(end)
        except BaseException:
            apart.kill()
            raise
    deadline = time.monotonic() + 30
    while sleeping() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert sleeping() == []
    assert state() == before


def test_what_it_runs_says_how_it_ended(tmp_path):
    done = subprocess.run((APART, str(tmp_path), "sh", "-c", "exit 7"), check=False)
    assert done.returncode == 7
