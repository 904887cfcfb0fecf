"""Frames of Cassandra's protocol, byte by byte."""

import socket
import threading

import pytest

from lab_node import cql
from tests.unit.lab_node.frames import NO_KEYSPACE, RING, UNAVAILABLE


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (cql.string("ü"), b"\x00\x02\xc3\xbc"),
        (cql.startup(), b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"),
        (cql.login("lab", "pw"), b"\x00\x00\x00\x07\x00lab\x00pw"),
        (cql.login("lab", "ü"), b"\x00\x00\x00\x07\x00lab\x00\xc3\xbc"),
        (cql.query("USE x", 1), b"\x00\x00\x00\x05USE x\x00\x01\x00"),
        (cql.query("USE x", 6), b"\x00\x00\x00\x05USE x\x00\x06\x00"),
    ],
)
def test_a_request_s_body_is_as_the_protocol_has_it(body, wanted):
    assert body == wanted


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        yield ours, theirs


def test_a_call_is_one_frame_there_and_one_back_in_as_many_pieces_as_it_comes(pair):
    ours, theirs = pair
    found = []

    def answer():
        found.append(theirs.recv(100))
        for byte in b"\x84\x00\x00\x00\x08\x00\x00\x00\x02ok":
            theirs.send(bytes([byte]))

    thread = threading.Thread(target=answer)
    thread.start()
    assert cql.call(ours, 0x07, b"abc") == (0x08, b"ok")
    thread.join()
    assert found == [b"\x04\x00\x00\x00\x07\x00\x00\x00\x03abc"]


@pytest.mark.parametrize(
    "answer", [b"", b"\x84\x00\x00", b"\x84\x00\x00\x00\x08\x00\x00\x00\x05ab"]
)
def test_a_server_that_ends_the_connection_is_an_error(pair, answer):
    ours, theirs = pair
    theirs.sendall(answer)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError, match="^Cassandra closed the connection$"):
        cql.call(ours, 0x07, b"")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NO_KEYSPACE, "keyspace nope does not exist"),
        (UNAVAILABLE, "Cannot achieve consistency level QUORUM"),
    ],
)
def test_an_error_says_its_message_and_none_of_the_numbers_behind(error, said):
    assert cql.message(error[1]) == said


def test_the_rows_of_one_column_of_text():
    first, second = cql.rows(RING[1])
    assert first.startswith('{"address": "192.168.56.11", "heartbeat": 955, ')
    assert second.endswith('"status_with_port": "NORMAL,-2305843009213693952"}')
    assert cql.rows(RING[1][:51] + b"\x00\x00\x00\x00") == []
