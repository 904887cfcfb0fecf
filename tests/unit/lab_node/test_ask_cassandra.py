"""A login and reads at Cassandra's, and at which step which server refuses."""

import json

import pytest

from lab_node import ask_cassandra
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
    assert ask_cassandra.trouble(0.2, "127.0.0.1", "x", "pw", READS) == wanted


def test_it_reads_as_the_application_does(cassandra):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING, RING]
    ask_cassandra.trouble(3.0, "127.0.0.1", "x", "pw", READS)
    assert cassandra.sent == [
        (0x01, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"),
        (0x0F, b"\x00\x00\x00\x05\x00x\x00pw"),
        (0x07, b"\x00\x00\x00\x0fSELECT a FROM b\x00\x06\x00"),
        (0x07, b"\x00\x00\x00\x0fSELECT c FROM d\x00\x06\x00"),
    ]


def test_each_address_has_its_answer(cassandra, monkeypatch, tmp_path, capsys):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING]
    (tmp_path / "password").write_text("pw\n")
    arguments = ("3", "x", str(tmp_path / "password"), "SELECT a FROM b", "127.0.0.1", "127.0.0.2")
    monkeypatch.setattr("sys.argv", ["lab-ask-cassandra", *arguments])
    ask_cassandra.main()
    assert json.loads(capsys.readouterr().out) == {
        "127.0.0.1": ["", ""],
        "127.0.0.2": ["connect", "[Errno 111] Connection refused"],
    }
    assert cassandra.sent[1] == (0x0F, b"\x00\x00\x00\x05\x00x\x00pw")
