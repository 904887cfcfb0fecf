"""What keepalived asks every second, against sockets of this machine; drills have whole nodes."""

import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest

from lab.config.paths import FOLDER

SCRIPTS = FOLDER / "images" / "haproxy"
# The kernel refuses for the first: nobody listens there. It has no way to the second.
REFUSES, ABSENT, SILENT = "127.0.0.2", "224.0.0.1", "127.0.0.3"
# Seconds that a silent node is waited for.
PATIENCE = 2.5


def run(script, *arguments):
    """Exit status, seconds."""
    began = time.monotonic()
    done = subprocess.run(
        ("bash", SCRIPTS / script, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
        timeout=30,
    )
    return done.returncode, time.monotonic() - began


@pytest.fixture
def silent():
    """A server that takes no more connections: the kernel passes over whoever asks for one."""
    with ExitStack() as sockets:
        try:
            full = sockets.enter_context(socket.create_server((SILENT, 9), backlog=0))
        except PermissionError:
            pytest.skip("only root may listen on the discard port")
        for _ in range(2):
            client = sockets.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        yield


@pytest.mark.parametrize(
    ("addresses", "status"),
    [((REFUSES,), 0), ((ABSENT, REFUSES), 0), ((ABSENT,), 1), ((ABSENT, ABSENT), 1), ((), 1)],
)
def test_a_node_that_refuses_is_heard(addresses, status):
    ended, seconds = run("hears-another.sh", *addresses)
    assert ended == status
    assert seconds < PATIENCE


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    ("addresses", "status", "waits"),
    [
        ((SILENT, SILENT, REFUSES), 0, False),
        ((REFUSES, SILENT), 0, False),
        ((SILENT, ABSENT, SILENT), 1, True),
    ],
)
def test_silent_nodes_are_waited_for_at_the_same_time(addresses, status, waits):
    ended, seconds = run("hears-another.sh", *addresses)
    assert ended == status
    assert (seconds >= PATIENCE) == waits
    assert seconds < 2 * PATIENCE


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\n\r\n", 0),
        (b"HTTP/1.0 503 Service Unavailable\r\n\r\n", 1),
        (b"", 1),
    ],
)
def test_a_balancer_answers_if_its_status_is_200(said, status):
    with socket.create_server(("127.0.0.1", 8404)) as server:

        def answer():
            client, _ = server.accept()
            with client:
                client.recv(1024)
                client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        assert run("answers.sh")[0] == status


def test_a_balancer_that_is_gone_or_hangs_does_not_answer():
    assert run("answers.sh")[0] == 1
    with socket.create_server(("127.0.0.1", 8404)):
        assert run("answers.sh")[0] == 1
