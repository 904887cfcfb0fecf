"""HTTP 1.0, as far as this node's programs need it: to import Python's own takes 20 ms."""

import socket


def get(connection: socket.socket, host: str, path: str) -> tuple[int, bytes]:
    """Status and body of an answer, which the server ends by hanging up. Raises OSError."""
    connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    with connection.makefile("rb") as stream:
        head, _, body = stream.read().partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise OSError("it hung up without an answer" if not head else "its answer is not HTTP")
    return int(words[1]), body


def quoted(text: str) -> str:
    """ASCII text as a part of a query."""
    return "".join(c if c.isalnum() or c in "._-~" else f"%{ord(c):02X}" for c in text)


def unix(path: str, seconds: float | None) -> socket.socket:
    """Connected to a Unix socket. seconds: how long it may be silent. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(seconds)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
