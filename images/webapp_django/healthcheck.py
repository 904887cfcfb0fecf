"""Asks this container's uWSGI for /uwsgi_health, in uWSGI's own protocol.

Python, because bash speaks to no unix socket; without site-packages it starts in some 10 ms.
"""

import os
import socket
import struct
import sys

TIMEOUT = 2.5  # seconds
REQUEST = {
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/uwsgi_health",
    "PATH_INFO": "/uwsgi_health",
    "QUERY_STRING": "",
    "SERVER_NAME": "healthcheck",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
}


def packet(variables: dict[str, str]) -> bytes:
    """https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html"""
    body = b"".join(
        struct.pack("<H", len(text)) + text
        for pair in variables.items()
        for text in (part.encode() for part in pair)
    )
    return struct.pack("<BHB", 0, len(body), 0) + body


def connection(address: str) -> socket.socket:
    if address.startswith("/"):
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(TIMEOUT)
        unix.connect(address)
        return unix
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=TIMEOUT)


def main() -> int:
    with connection(os.environ["APP_UWSGI_SOCKET"]) as asked:
        asked.sendall(packet(REQUEST))
        status_line = asked.makefile("rb").readline().decode().strip()
    print(status_line)
    return 0 if status_line.split()[1:2] == ["200"] else 1


if __name__ == "__main__":
    sys.exit(main())
