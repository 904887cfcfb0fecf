"""hears-another.sh, with a socat that answers as its address says: the drills have the real one."""

import os
import subprocess
import time

import pytest

from lab.config.paths import FOLDER

SCRIPT = FOLDER / "images" / "haproxy" / "hears-another.sh"
# Seconds that a silent node takes here.
SILENCE = 1.0
SOCAT = f"""#!/bin/bash
case $2 in
  TCP4:refuses:9,*) echo "E connect: Connection refused" >&2; exit 1 ;;
  TCP4:absent:9,*) echo "E connect: No route to host" >&2; exit 1 ;;
  TCP4:silent:9,*) sleep {SILENCE}; echo "E connect: Connection timed out" >&2; exit 1 ;;
esac
echo "what is $*" >&2
exit 2
"""


@pytest.mark.parametrize(
    ("addresses", "status", "waits"),
    [
        (("refuses",), 0, False),
        (("absent", "refuses"), 0, False),
        (("silent", "silent", "refuses"), 0, False),
        (("refuses", "silent"), 0, False),
        (("absent",), 1, False),
        (("silent", "absent", "silent"), 1, True),
        ((), 1, False),
    ],
)
def test_a_node_that_refuses_is_heard_whoever_else_is_silent(tmp_path, addresses, status, waits):
    (tmp_path / "socat").write_text(SOCAT)
    (tmp_path / "socat").chmod(0o755)
    began = time.monotonic()
    done = subprocess.run(
        ("bash", SCRIPT, *addresses),
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    took = time.monotonic() - began
    assert done.returncode == status
    assert (took >= SILENCE) == waits
    # All silent ones at the same time.
    assert took < 2 * SILENCE
