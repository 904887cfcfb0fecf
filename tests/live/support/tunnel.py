"""A tunnel as a user opens one: `ssh -L`, through the sshd of one of the nodes."""

import socket
import subprocess
from contextlib import contextmanager

from lab.config.paths import SSH_CONFIG
from lab.engine.ssh import wait_until

LOOPBACK = "127.0.0.1"


@contextmanager
def tunnel(node, address, port=80, local=0):
    """Yields the port of this machine's loopback that leads through a node to an address.

    local: which one, instead of any that is free.
    """
    local = local or free_port()
    forward = ("-o", "ExitOnForwardFailure=yes", "-L", f"{local}:{address}:{port}")
    process = subprocess.Popen(("ssh", "-F", str(SSH_CONFIG), "-N", *forward, node))
    try:
        wait_until(
            f"ssh -L {local}:{address}:{port} {node}",
            lambda: process.poll() is None and _accepts(local),
            bool,
            seconds=15,
            advice=lambda _: "",
        )
        yield local
    finally:
        process.terminate()
        process.wait()


def free_port():
    with socket.create_server((LOOPBACK, 0)) as one:
        return one.getsockname()[1]


def _accepts(port):
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False
