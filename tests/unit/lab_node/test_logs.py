"""lab-logs with a docker that lists containers, logs of theirs, and what happens to them."""

import os
import signal
import subprocess
import sys

import pytest

from lab.config.paths import FOLDER
from lab_node import logs

PROGRAM = (sys.executable, "-c", "from lab_node.logs import main; main()")
DOCKER = r"""
echo "$*" >>"$ASKED"
case $1 in
  ps) printf 'c1 nginx nginx-1\nc2 django django-1\n' ;;
  logs) echo "line of ${*: -1}" ; printf 'windows\r\n' ; echo error >&2 ;;
  events) printf '%s\n' "$EVENTS" ;;
esac
"""
OF_ALL = (
    "ps --all --no-trunc --filter label=lab.service"
    ' --format {{.ID}} {{.Label "lab.service"}} {{.Names}}'
)


@pytest.fixture
def run(command, tmp_path):
    command("docker", DOCKER)
    asked = tmp_path / "asked"

    def program(*arguments):
        environment = {"ASKED": str(asked)}
        done = subprocess.run(
            (*PROGRAM, *arguments),
            env=os.environ | environment | {"PYTHONPATH": str(FOLDER / "provision/node")},
            stdin=subprocess.PIPE,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done, asked.read_text().splitlines()

    return program


def test_each_line_says_whose_it_is_and_errors_are_lines_too(run):
    done, asked = run("", "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == [
        "django\tdjango-1\terror",
        "django\tdjango-1\tline of c2",
        "django\tdjango-1\twindows",
        "nginx\tnginx-1\terror",
        "nginx\tnginx-1\tline of c1",
        "nginx\tnginx-1\twindows",
    ]
    assert asked[0] == OF_ALL
    assert sorted(asked[1:]) == ["logs --tail 5 c1", "logs --tail 5 c2"]


def test_of_one_service(run):
    _, asked = run("nginx", "5")
    assert "--filter label=lab.service=nginx --format" in asked[0]


def test_what_starts_later_is_shown_from_its_first_line_or_from_where_it_ended(monkeypatch):
    shown = []
    monkeypatch.setattr(logs, "show", lambda *arguments: shown.append(arguments))
    events = (
        b"start 1764500000000000001 c1 nginx nginx-1\n",
        b"start 1764500000000000002 c3 django django-2\n",
        b"die 1764500000000000003 c1 nginx nginx-1\n",
        b"start 1764500000000000004 c1 nginx nginx-1\n",
    )
    logs.follow_started(events, {"c1", "c2"})
    assert shown == [
        ("c3", "django", "django-2", "--follow"),
        ("c1", "nginx", "nginx-1", "--follow", "--since", "1764500000.000000003"),
    ]


@pytest.fixture
def following(command, tmp_path):
    """Starts the program with a docker that does not end, but for the one that is asked so."""
    os.mkfifo(tmp_path / "never")
    started = []

    def start(which, events):
        waits = f"case $1 in {which}) exec 3<>{tmp_path}/never; read -r _ <&3 ;; esac\n"
        command("docker", DOCKER + waits)
        environment = {"ASKED": str(tmp_path / "asked"), "EVENTS": events}
        process = subprocess.Popen(
            (*PROGRAM, "", "0", "--follow"),
            env=os.environ | environment | {"PYTHONPATH": str(FOLDER / "provision/node")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def test_following_shows_what_starts_and_ends_with_standard_input(following, tmp_path):
    process = following("logs|events", "start 17 c3 mysql mysql")
    lines = {process.stdout.readline() for _ in range(9)}
    assert b"mysql\tmysql\tline of c3\n" in lines
    asked = (tmp_path / "asked").read_text()
    assert "logs --tail 0 --follow c1\n" in asked
    assert "logs --follow c3\n" in asked
    process.stdin.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    # Docker's clients had it open, too.
    assert process.stdout.read() == b""


def test_a_docker_that_ends_is_said(following):
    process = following("nothing", "die 1764500000000000003 c1 nginx nginx-1")
    assert process.wait(timeout=10) == 1
    assert process.stderr.read() == b"lab-logs: Docker has ended\n"
