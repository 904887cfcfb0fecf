"""Gives HAProxy on this node the line of commands on standard input, and prints what it answers.

`docker exec` would start four programs for it.
"""

import socket
import sys

from lab_node.docker import Docker

# As in lab/templates/web.cfg.j2, in the container.
ADMIN = "/run/haproxy/admin.sock"
PROCESSES = "/proc"
# Its answer may take long while images are built on the same cores.
SECONDS = 10


def ask(pid: int, commands: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(f"{PROCESSES}/{pid}/root{ADMIN}")
        connection.sendall(commands)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def main() -> None:
    try:
        found = Docker(SECONDS).ask("/containers/haproxy/json")
        if not found or not found["State"]["Running"]:
            sys.exit("container haproxy is not running")
        answer = ask(found["State"]["Pid"], sys.stdin.buffer.read())
    except OSError as error:
        sys.exit(f"HAProxy does not answer: {error}")
    sys.stdout.buffer.write(answer)
