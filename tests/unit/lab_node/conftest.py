"""Stand-ins for what the node's programs ask: Docker's socket, the docker command, Cassandra."""

import json
import os
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer

import pytest

from lab_node import cql, docker


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Docker at a socket of its own: `answers` has a status and a body for each path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            served.asked.append(self.path)
            status, body = served.answers[self.path.partition("?")[0]]
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    class Engine(ThreadingUnixStreamServer):
        answers: dict = {}
        asked: list = []

    with Engine(str(tmp_path / "docker.sock"), Handler) as served:
        served.daemon_threads = True
        served.block_on_close = False
        served.answers, served.asked = {}, []
        monkeypatch.setattr(docker, "SOCKET", str(tmp_path / "docker.sock"))
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Puts a bash script in front of a command's own place."""

    def put(name, script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/bash\n{script}")
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


class Cassandra:
    """A server that gives one answer (opcode, body) to each frame, and notes what it was sent.

    After the last answer it closes the connection. None: it says nothing until the client leaves.
    """

    def __init__(self, server):
        self.server = server
        self.answers, self.sent, self.connections = [], [], 0

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            with connection, connection.makefile("rb") as stream:
                self.converse(connection, stream)

    def converse(self, connection, stream):
        while self.answers and len(header := stream.read(9)) == 9:
            opcode, length = struct.unpack(">BI", header[4:])
            self.sent.append((opcode, stream.read(length)))
            if (answer := self.answers.pop(0)) is None:
                stream.read()
                return
            opcode, body = answer
            connection.sendall(b"\x84\0\0\0" + struct.pack(">BI", opcode, len(body)) + body)
        connection.shutdown(socket.SHUT_WR)
        stream.read()


@pytest.fixture
def cassandra(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(cql, "PORT", server.getsockname()[1])
        cassandra = Cassandra(server)
        threading.Thread(target=cassandra.serve, daemon=True).start()
        yield cassandra
        server.shutdown(socket.SHUT_RDWR)
