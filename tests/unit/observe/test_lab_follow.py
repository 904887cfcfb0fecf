"""lab-follow with a docker that lists containers, and notes what it is told to change."""

import os
import subprocess

from lab.config.paths import FOLDER

SCRIPT = FOLDER / "provision" / "node" / "sbin" / "lab-follow"
# Of those with a label one may swap, as a stack's task does, and one may not.
DOCKER = """#!/bin/bash
case $1 in
  inspect) [[ $3 == *MemorySwap* ]] && printf '/webapp_nginx.1 c1 67108864\\n\\n' ;;
  ps) [[ $* == *lab.service* ]] && echo c1 c2 ;;
  update) echo "$@" >>"$CHANGES" ;;
esac
exit 0
"""
STAT = """#!/bin/bash
echo 8:0
"""


def test_what_may_swap_is_told_to_stay_within_its_memory(tmp_path):
    for name, text in (("docker", DOCKER), ("stat", STAT)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    changes = tmp_path / "changes"
    subprocess.run(
        ("bash", SCRIPT),
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CHANGES": str(changes)},
        check=True,
    )
    assert changes.read_text() == "update --memory 67108864 --memory-swap 67108864 c1\n"
