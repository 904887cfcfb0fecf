"""A login and reads at Cassandra's, and at which step which server refuses."""

import socket

import pytest

from lab_node import cassandra as asking
from lab_node import cql
from tests.unit.lab_node.frames import (
    LOGGED_IN,
    NO_KEYSPACE,
    RING,
    UNAVAILABLE,
    WANTS_LOGIN,
    WRONG_PASSWORD,
)

# A login that goes on with another question.
AUTH_CHALLENGE = 0x0E, b""
READS = ["SELECT a FROM b", "SELECT c FROM d"]


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([WANTS_LOGIN, LOGGED_IN, RING, RING], ("", "")),
        ([], ("connect", "Cassandra closed the connection")),
        ([None], ("connect", "no answer within 0.2 s")),
        (
            [WANTS_LOGIN, WRONG_PASSWORD],
            ("login", "Provided username x and/or password are incorrect"),
        ),
        ([WANTS_LOGIN, AUTH_CHALLENGE], ("login", "")),
        ([WANTS_LOGIN], ("login", "Cassandra closed the connection")),
        ([WANTS_LOGIN, None], ("login", "no answer within 0.2 s")),
        ([WANTS_LOGIN, LOGGED_IN, NO_KEYSPACE], ("read", "keyspace nope does not exist")),
        (
            [WANTS_LOGIN, LOGGED_IN, RING, UNAVAILABLE],
            ("read", "Cannot achieve consistency level QUORUM"),
        ),
        ([WANTS_LOGIN, LOGGED_IN, RING, None], ("read", "no answer within 0.2 s")),
    ],
)
def test_the_step_that_failed_and_what_was_said(cassandra, answers, wanted):
    cassandra.answers[:] = answers
    assert asking.trouble(0.2, "127.0.0.1", "x", "pw", READS) == wanted


def test_it_reads_as_the_application_does(cassandra):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING, RING]
    asking.trouble(3.0, "127.0.0.1", "x", "pw", READS)
    assert cassandra.sent == [
        (0x01, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"),
        (0x0F, b"\x00\x00\x00\x05\x00x\x00pw"),
        (0x07, b"\x00\x00\x00\x0fSELECT a FROM b\x00\x06\x00"),
        (0x07, b"\x00\x00\x00\x0fSELECT c FROM d\x00\x06\x00"),
    ]


def asked(cassandra, *addresses, seconds=3.0):
    return asking.troubles(seconds, addresses, "x", "pw", ["SELECT a FROM b"])


def test_the_first_address_that_serves_is_enough(cassandra):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING]
    assert asked(cassandra, "127.0.0.1", "127.0.0.2") == {"127.0.0.1": ("", "")}
    assert cassandra.connections == 1


def test_after_one_that_refuses_the_next_is_asked(cassandra):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING]
    assert asked(cassandra, "127.0.0.2", "127.0.0.1") == {
        "127.0.0.2": ("connect", "[Errno 111] Connection refused"),
        "127.0.0.1": ("", ""),
    }


def test_whoever_is_silent_keeps_the_next_from_being_asked_no_longer_than_its_share(cassandra):
    with socket.create_server(("127.0.0.2", cql.PORT)):
        cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING]
        assert asked(cassandra, "127.0.0.2", "127.0.0.1") == {"127.0.0.1": ("", "")}


def test_of_whom_all_are_silent_each_is_told_as_late(cassandra):
    with socket.create_server(("127.0.0.2", cql.PORT)):
        assert asked(cassandra, "127.0.0.2", seconds=0.3) == {
            "127.0.0.2": ("connect", "no answer within 0.3 s")
        }


@pytest.mark.parametrize(
    ("answer", "serves"), [((0x06, b""), True), (WANTS_LOGIN, False)], ids=["SUPPORTED", "other"]
)
def test_a_server_that_serves_answers_before_any_login(cassandra, answer, serves):
    cassandra.answers[:] = [answer]
    assert asking.serves("127.0.0.1", 3.0) == serves
    assert cassandra.sent == [(0x05, b"")]
