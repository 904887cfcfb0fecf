"""Docker's API through its socket."""

import socket
import threading

import pytest

from lab_node import docker
from lab_node.docker import Docker

LABELLED = "filters=%7B%22label%22%3A%20%5B%22lab.service%22%5D%7D"


@pytest.mark.parametrize(
    ("path", "filters", "asked"),
    [
        ("/networks", {"label": "lab.service"}, f"/networks?{LABELLED}"),
        (
            "/containers/json?all=1",
            {"label": "lab.service"},
            f"/containers/json?all=1&{LABELLED}",
        ),
        ("/volumes", {}, "/volumes?filters=%7B%7D"),
    ],
)
def test_filters_are_asked_for_as_json_in_the_query(engine, path, filters, asked):
    engine.answers[path.partition("?")[0]] = 200, [{"Name": "lab"}]
    assert Docker().ask(path, **filters) == [{"Name": "lab"}]
    assert engine.asked == [asked]


@pytest.mark.parametrize("status", [404, 503])
def test_docker_has_no_such_thing_or_no_swarm(engine, status):
    engine.answers["/services"] = status, {"message": "This node is not a swarm manager."}
    assert Docker().ask("/services?status=true") is None


def test_what_docker_says_instead_is_the_error(engine):
    engine.answers["/volumes"] = 500, {"message": "no space left on device"}
    with pytest.raises(OSError, match=r"^/volumes: 500 no space left on device$"):
        Docker().ask("/volumes")


def test_nobody_at_the_socket_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(docker, "SOCKET", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        Docker().ask("/volumes")


def test_a_docker_that_hangs_up_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(docker, "SOCKET", str(tmp_path / "docker.sock"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(docker.SOCKET)
        server.listen()
        threading.Thread(target=lambda: hang_up(server), daemon=True).start()
        with pytest.raises(OSError, match="hung up without an answer"):
            Docker(3).ask("/volumes")


def hang_up(server):
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)


def test_who_was_killed_for_memory_is_told_by_events(engine):
    engine.answers["/events"] = 200, b'{"timeNano": 7, "Actor": {"ID": "67f1"}}\n' * 2
    assert Docker().killed_for_memory(1.5, 2.5) == [(7, "67f1")] * 2
    assert engine.asked[0].startswith("/events?since=1.500&until=2.500&filters=%7B%22type%22")


def test_a_container_that_is_removed_while_all_are_inspected_is_none(engine):
    engine.answers |= {
        "/containers/json": (200, [{"Id": "a"}, {"Id": "b"}]),
        "/containers/a/json": (404, {"message": "No such container: a"}),
        "/containers/b/json": (200, {"Name": "/mysql"}),
    }
    assert Docker().containers() == [{"Name": "/mysql"}]
    assert engine.asked[0] == f"/containers/json?all=1&{LABELLED}"
