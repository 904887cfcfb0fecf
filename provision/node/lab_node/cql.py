"""Cassandra's own protocol, version 4, as far as two programs need it: a node has no driver.

https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec
"""

import socket
import struct

PORT = 9042
VERSION = 4
# Version, flags, stream, opcode, length of the body.
HEADER = struct.Struct(">BBHBI")
ERROR, STARTUP, OPTIONS, SUPPORTED, QUERY = 0x00, 0x01, 0x05, 0x06, 0x07
AUTH_RESPONSE, AUTH_SUCCESS = 0x0F, 0x10
ONE, LOCAL_QUORUM = 1, 6


def string(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


def long_string(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">I", len(encoded)) + encoded


def startup() -> bytes:
    """The body of STARTUP, which opens a connection."""
    return struct.pack(">H", 1) + string("CQL_VERSION") + string("3.0.0")


def login(user: str, password: str) -> bytes:
    """The body of AUTH_RESPONSE, for PasswordAuthenticator."""
    return long_string(f"\0{user}\0{password}")


def query(statement: str, consistency: int) -> bytes:
    """The body of QUERY, without flags."""
    return long_string(statement) + struct.pack(">HB", consistency, 0)


def call(connection: socket.socket, opcode: int, body: bytes) -> tuple[int, bytes]:
    """The answer's opcode and body; raises OSError, or EOFError where the server ends it."""
    connection.sendall(HEADER.pack(VERSION, 0, 0, opcode, len(body)) + body)
    *_, answered, length = HEADER.unpack(_exactly(connection, HEADER.size))
    return answered, _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        if not (more := connection.recv(length - len(found))):
            raise EOFError("Cassandra closed the connection")
        found += more
    return found


def message(error: bytes) -> str:
    """What an ERROR says: behind its code, and before what some codes have besides."""
    (length,) = struct.unpack_from(">H", error, 4)
    return error[6 : 6 + length].decode()


def rows(result: bytes) -> list[str]:
    """The values of a RESULT of one column of text.

    It has kind, flags and columns, the names of keyspace, table and column with its type, the
    number of rows, and each value behind its length.
    """
    at, found = 12, []
    for _ in range(3):
        at += 2 + struct.unpack_from(">H", result, at)[0]
    (count,) = struct.unpack_from(">i", result, at + 2)
    at += 6
    for _ in range(count):
        (length,) = struct.unpack_from(">i", result, at)
        found.append(result[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found
