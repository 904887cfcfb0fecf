"""What the tests' probe says of itself to Cassandra (docs/traps.md, a probe that is believed)."""

import io
import json
import runpy
import socket
import struct

from lab.config.paths import FOLDER

# Twelve bytes, the first four of them the version.
ACCEPT = struct.pack(">III", 13, 0, 0)


class Recorder:
    def __init__(self):
        self.sent = b""

    def sendall(self, message):
        self.sent += message

    def recv(self, _):
        return ACCEPT


def test_the_probe_of_cassandra_s_ring_speaks_as_no_member_and_with_today_s_versions(monkeypatch):
    # The probe is a program: it answers its standard input first.
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([["127.0.0.1", 9]]) + "\n"))
    probe = runpy.run_path(str(FOLDER / "tests" / "probe.py"))
    ring = Recorder()
    assert probe["cassandra_ring"](ring, "192.168.56.11")
    _, flags, length = struct.unpack(">IIB", ring.sent[:9])
    sender = ring.sent[9 : 9 + length]
    assert sender[:4] == socket.inet_aton("192.0.2.1")
    assert (flags >> 16 & 0xFF, flags >> 24) == (12, 13)
