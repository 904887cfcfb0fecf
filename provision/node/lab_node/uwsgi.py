"""uWSGI's own protocol, as far as one question needs it.

https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html
"""

import socket
import struct

REQUEST = {
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": "",
    "SERVER_NAME": "healthcheck",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
}


def packet(path: str) -> bytes:
    """A GET of a path."""
    body = b"".join(
        struct.pack("<H", len(text)) + text
        for pair in (REQUEST | {"REQUEST_URI": path, "PATH_INFO": path}).items()
        for text in (part.encode() for part in pair)
    )
    return struct.pack("<BHB", 0, len(body), 0) + body


def lines(connection: socket.socket, path: str) -> list[str]:
    """All lines of its answer, the status line first. Raises OSError."""
    connection.sendall(packet(path))
    with connection.makefile("rb") as answer:
        return answer.read().decode(errors="replace").splitlines() or [""]
