"""Asks ports in the protocol that belongs there, from wherever Python runs.

Standard library only: it is sent through SSH to nodes and into containers. Reads one JSON list of
[address, port] from standard input and prints a JSON object "address:port" -> verdict:

  open    the right protocol answered
  mute    something accepted the connection and did not answer in that protocol
  closed  refused, or no answer to the attempt to connect

A bare TCP connect proves nothing where docker-proxy listens: it accepts with nothing behind it.
"""

import json
import socket
import ssl
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

SECONDS = 1.5


def http(connection, address):
    connection.sendall(f"GET / HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
    return connection.recv(64).startswith(b"HTTP/1")


def encrypted(connection):
    """Who answers is not the question here, so no certificate is verified."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def https(connection, address):
    return http(encrypted(connection), address)


def uwsgi(connection, address):
    variables = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/uwsgi_health",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": address,
        "SERVER_PORT": "80",
        "HTTP_HOST": address,
    }
    body = b"".join(
        struct.pack("<H", len(part)) + part.encode() for pair in variables.items() for part in pair
    )
    connection.sendall(struct.pack("<BHB", 0, len(body), 0) + body)
    return connection.recv(64).startswith(b"HTTP/1")


def mysql(connection, address):
    """A server speaks first: length, sequence 0, protocol version 10."""
    return connection.recv(64)[3:5] == b"\x00\x0a"


def cql(connection, address):
    """OPTIONS (5) of protocol version 4 is answered with SUPPORTED (6) before anybody logs in."""
    connection.sendall(struct.pack(">BBHBI", 4, 0, 0, 5, 0))
    answer = connection.recv(9)
    return answer[:1] == b"\x84" and answer[4:5] == b"\x06"


def cassandra_ring(connection, address):
    """Initiate (magic, flags, sender, CRC) is answered with Accept: the highest messaging version.

    Flags: small messages, checksums, and versions 12 to 13 (Cassandra 4.0 and 5.0). The CRC begins
    with four fixed bytes (Cassandra's HandshakeProtocol and Crc). The sender is nobody's address: a
    node believes what a handshake says of its sender, and schema changes no longer reach a member
    of the ring for which somebody claimed another version.
    """
    flags = 1 | 2 << 3 | 12 << 8 | 12 << 16 | 13 << 24
    sender = socket.inet_aton("192.0.2.1") + struct.pack(">H", 7000)
    message = struct.pack(">IIB", 0xCA552DFA, flags, len(sender)) + sender
    checksum = zlib.crc32(b"\xfa\x2d\x55\xca" + message)
    connection.sendall(message + struct.pack(">I", checksum))
    answer = connection.recv(12)
    return len(answer) == 12 and struct.unpack(">I", answer[:4])[0] >= 12


def ssh(connection, address):
    return connection.recv(64).startswith(b"SSH-2.0")


PROTOCOLS = {
    22: ssh,
    80: http,
    3306: mysql,
    3307: mysql,
    5000: https,
    7000: cassandra_ring,
    9042: cql,
    9080: http,
    9200: http,
    29000: uwsgi,
    33061: mysql,
}


def verdict(target):
    address, port = target
    try:
        connection = socket.create_connection((address, port), timeout=SECONDS)
    except OSError:
        return "closed"
    try:
        with connection:
            connection.settimeout(SECONDS)
            return "open" if PROTOCOLS[port](connection, address) else "mute"
    except OSError:
        return "mute"


def main():
    targets = json.loads(sys.stdin.readline())
    with ThreadPoolExecutor(max_workers=len(targets)) as pool:
        verdicts = pool.map(verdict, targets)
        answer = {f"{a}:{p}": v for (a, p), v in zip(targets, verdicts, strict=True)}
    json.dump(answer, sys.stdout)


main()
