"""HAProxy's answers, asked through the socket in its container."""

import io
import socket
import threading
from types import SimpleNamespace

import pytest

from lab_node import haproxy


@pytest.fixture
def admin(engine, tmp_path, monkeypatch):
    """What HAProxy is given; it answers `well`, in two parts, and closes."""
    engine.answers["/containers/haproxy/json"] = (200, {"State": {"Running": True, "Pid": 7}})
    monkeypatch.setattr(haproxy, "PROCESSES", str(tmp_path))
    monkeypatch.setattr(haproxy, "ADMIN", "/admin.sock")
    (tmp_path / "7" / "root").mkdir(parents=True)
    given = []

    def serve():
        try:
            connection, _ = listener.accept()
        except OSError:
            # Nobody asked.
            return
        given.append(connection.recv(100))
        connection.sendall(b"we")
        connection.sendall(b"ll\n")
        connection.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/7/root/admin.sock")
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield given


def asked(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"show stat\n")))
    monkeypatch.setattr("sys.stdout", out := SimpleNamespace(buffer=io.BytesIO()))
    haproxy.main()
    return out.buffer.getvalue()


def test_the_whole_answer_is_told(admin, monkeypatch):
    assert asked(monkeypatch) == b"well\n"
    assert admin == [b"show stat\n"]


@pytest.mark.parametrize(
    ("status", "found", "said"),
    [
        (404, {"message": "No such container: haproxy"}, "container haproxy is not running"),
        (200, {"State": {"Running": False, "Pid": 0}}, "container haproxy is not running"),
        (500, {"message": "no"}, "HAProxy does not answer: /containers/haproxy/json: 500 no"),
        (
            200,
            {"State": {"Running": True, "Pid": 8}},
            "HAProxy does not answer: [Errno 2] No such file or directory",
        ),
    ],
    ids=["absent", "stopped", "Docker's failure", "no socket"],
)
@pytest.mark.usefixtures("admin")
def test_what_does_not_answer_is_one_line(engine, monkeypatch, status, found, said):
    engine.answers["/containers/haproxy/json"] = (status, found)
    with pytest.raises(SystemExit) as ended:
        asked(monkeypatch)
    assert ended.value.code == said
