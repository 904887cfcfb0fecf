"""lab-trace on log files as Docker leaves them, found by a docker that names them."""

import json
import os
import subprocess

from lab.config.paths import FOLDER

SCRIPT = FOLDER / "provision" / "node" / "sbin" / "lab-trace"
DOCKER = """#!/bin/bash
case $1 in
  ps) echo one ;;
  inspect) echo "$LOG_FILE" ;;
esac
"""


def entry(text, stream="stdout"):
    return json.dumps({"log": text, "stream": stream}, separators=(",", ":"))


def test_an_id_s_lines_are_printed_oldest_first_with_all_their_parts(tmp_path):
    line = '{"request_id":"an-id","path":"' + "a" * 40_000 + '"}\n'
    first, second, third = line[:16_384], line[16_384:32_768], line[32_768:]
    short = '{"request_id":"an-id"}\n'
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    log = tmp_path / "x-json.log"
    # Docker began a new file amid the line.
    (tmp_path / "x-json.log.2").write_text(entry(short) + "\n" + entry("another\n") + "\n")
    (tmp_path / "x-json.log.1").write_text(entry(first) + "\n" + entry("aside\n", "stderr") + "\n")
    log.write_text("\n".join((entry(second), entry(third), entry("later\n"), "")))
    done = subprocess.run(
        ("bash", SCRIPT, "an-id"),
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG_FILE": str(log)},
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = [entry(short), entry(first), entry(second), entry(third)]
    assert done.stdout.splitlines() == wanted
