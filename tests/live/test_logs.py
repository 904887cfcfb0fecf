"""`fab logs`: one node, one program, in colours on a terminal, and whatever starts meanwhile."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

import pytest

from lab.config.paths import FOLDER
from lab.engine.ssh import wait_until
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY

pytestmark = pytest.mark.beside

FAB = str(Path(sys.executable).parent / "fab")
NODE = TOPOLOGY.web[1].django
LATE = "late-of-a-test"
LINE_SECONDS = 20
ESCAPE = "\x1b["


def logs(*arguments, node=NODE):
    chosen = ("-H", node) if node else ()
    command = (FAB, *chosen, "logs", *arguments)
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_all_nodes_and_programs_are_shown():
    for service in TOPOLOGY.web:
        # One that was just replaced has nothing to tell yet.
        assert Client(TOPOLOGY.address(service.nginx)).get("/accounts/login/")[0] == 200
    lines = logs("--lines=3", node=None)
    shown = {(line.split()[0], line.split()[1].split("-")[0]) for line in lines if line.strip()}
    settings = TOPOLOGY.settings
    for program, nodes in {
        "mysql": settings.mysql,
        "cassandra": settings.cassandra,
        "haproxy": settings.balancers,
        "django": [service.django for service in TOPOLOGY.web],
        "nginx": [service.nginx for service in TOPOLOGY.web],
    }.items():
        assert {(node, program) for node in nodes} <= shown


def test_one_node_and_one_program_can_be_chosen():
    lines = logs("--service=nginx", "--lines=3")
    assert lines
    assert all(line.startswith(f"{NODE}  nginx-") for line in lines), lines


def test_raw_lines_are_json_with_the_request_s_id():
    status, headers, _ = Client(TOPOLOGY.address(NODE)).get("/accounts/login/")
    assert status == 200
    # Its container may have logged more since, as at its start.
    lines = logs("--service=django", "--lines=50", "--raw")
    (line,) = (one for one in lines if f'"request_id": "{headers["X-Request-ID"]}"' in one)
    assert '"statements": [' in line


def on_a_terminal(**environment):
    ours, theirs = pty.openpty()
    known = os.environ | {"TERM": "xterm"} | environment
    command = (FAB, "-H", NODE, "logs", "--service=nginx", "--lines=1")
    subprocess.run(command, cwd=FOLDER, env=known, stdout=theirs, check=True)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    return said


def test_colours_are_for_terminals_and_for_who_wants_them():
    assert ESCAPE in on_a_terminal()
    assert ESCAPE not in on_a_terminal(NO_COLOR="1")
    assert not any(ESCAPE in line for line in logs("--lines=1"))


@pytest.fixture
def following():
    """`fab logs --follow` of one node: the process, and its lines as they come."""
    # Tests that run in the background of a shell were told to ignore Ctrl-C, and hand that on.
    heeding = ("env", "--default-signal=INT")
    command = (*heeding, FAB, "-H", NODE, "logs", "--service=nginx", "--lines=1", "--follow")
    process = subprocess.Popen(
        command,
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    lines: Queue[str] = Queue()
    reader = threading.Thread(target=lambda: [lines.put(one) for one in process.stdout])
    reader.start()
    yield process, lines
    process.kill()
    process.wait()
    reader.join()


def wait_line(lines, text):
    """The next line that holds a text. Raises queue.Empty after LINE_SECONDS without any."""
    while True:
        if text in (line := lines.get(timeout=LINE_SECONDS)):
            return line


def of_a_second(lines):
    """The lines of one second, of whatever is logged meanwhile."""
    ends = time.monotonic() + 1
    with suppress(Empty):
        while (left := ends - time.monotonic()) > 0:
            yield lines.get(timeout=left)


def test_a_container_that_starts_later_is_followed_from_its_first_line_on(running, following):
    process, lines = following
    node = running.nodes[NODE]
    wait_line(lines, f"{NODE}  nginx-")
    (nginx,) = (c for c in node.observe().containers.values() if c.service == "nginx")
    run = ("docker", "run", "--name", LATE, "--label", "lab.service=nginx", "--entrypoint", "sh")
    try:
        node.run(*run, nginx.image, "-c", "echo first of $0; echo last of $0", LATE)
        assert wait_line(lines, LATE) == f"{NODE}  {LATE}  first of {LATE}\n"
        assert wait_line(lines, LATE) == f"{NODE}  {LATE}  last of {LATE}\n"
        # The same one again: what is old is not repeated.
        node.run("docker", "start", LATE)
        assert wait_line(lines, LATE) == f"{NODE}  {LATE}  first of {LATE}\n"
        assert wait_line(lines, LATE) == f"{NODE}  {LATE}  last of {LATE}\n"
        assert not [line for line in of_a_second(lines) if LATE in line]
    finally:
        node.attempt("docker", "rm", "--force", LATE)

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    wait_until(
        f"{NODE}: nobody follows any more",
        lambda: node.attempt("pgrep", "--full", "docker (logs|events) .*follow|lab-log[s]")[1],
        lambda found: not found,
        seconds=10,
        advice=lambda _: "ps aux",
    )
