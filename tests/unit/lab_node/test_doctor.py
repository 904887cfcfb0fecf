"""Many questions at the same time, some of which hang."""

import io
import json
import time

import pytest

from lab_node import asking, doctor


def container(name, service, status="running"):
    return {
        "Name": f"/{name}",
        "Config": {"Labels": {"lab.service": service}, "Env": []},
        "State": {"Status": status, "Pid": 4711},
        "LogPath": "/none",
    }


CONTAINERS = {
    "c1": container("django-1", "django"),
    "c2": container("django-2", "django"),
    "c3": container("django-3", "django", "exited"),
    "c4": container("mysql", "mysql"),
}


def test_running_containers_of_a_service():
    found = list(CONTAINERS.values())
    assert list(doctor.running(found, "django")) == ["django-1", "django-2"]
    assert doctor.running(found, "nginx") == {}


@pytest.fixture
def told(monkeypatch, capsys):
    def told(**wanted):
        nothing = {"questions": {}, "inside": {}, "silent": {}}
        limits = {"answer": 3, "command": 4, "node": 5.5}
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(nothing | limits | wanted)))
        monkeypatch.setattr("os._exit", lambda _: None)
        doctor.main()
        return json.loads(capsys.readouterr().out)

    return told


@pytest.fixture
def node(engine):
    engine.answers |= {"/containers/json": (200, [{"Id": one} for one in CONTAINERS])}
    engine.answers |= {f"/containers/{one}/json": (200, CONTAINERS[one]) for one in CONTAINERS}
    return engine


def test_everything_is_told_in_one_object(node, told, monkeypatch):
    monkeypatch.setitem(asking.INSIDE, "x", lambda words, *_: (0, *words, ""))
    found = told(
        questions={"a": ["run", "echo", "a"], "b": ["run", "false"]},
        inside={"django": {"x": ["x", "one"]}, "nginx": {"y": ["x", "two"]}},
        silent={"c": ["run", "echo", "c"]},
    )
    assert abs(found.pop("time") - time.time()) < 10
    assert found == {
        "docker": [0, "", ""],
        "containers": list(CONTAINERS.values()),
        "answers": {"a": [0, "a\n", ""], "b": [1, "", ""]},
        "inside": [["django-1", "x", [0, "one", ""]], ["django-2", "x", [0, "one", ""]]],
    }


def test_where_docker_does_not_answer_more_is_asked(monkeypatch, told, tmp_path):
    monkeypatch.setattr("lab_node.docker.SOCKET", str(tmp_path / "none"))
    found = told(questions={"a": ["run", "true"]}, silent={"c": ["run", "echo", "c"]})
    status, _, said = found["docker"]
    assert (status, found["containers"]) == (1, [])
    assert said.endswith("No such file or directory")
    assert found["answers"] == {"a": [0, "", ""], "c": [0, "c\n", ""]}


@pytest.mark.parametrize("limit", ["command", "node"])
def test_a_program_that_hangs_is_killed_and_told_as_that(node, told, limit):
    found = told(questions={"a": ["run", "sleep", "30"]}, **{limit: 0.2})
    assert found["answers"] == {"a": [None, "", ""]}


def test_a_question_that_hangs_is_left_behind_and_the_others_are_told(node, told, monkeypatch):
    monkeypatch.setitem(asking.OF_NODE, "hang", lambda *_: time.sleep(30))
    found = told(questions={"a": ["hang"], "b": ["run", "echo", "b"]}, node=0.5)
    assert found["answers"] == {"a": [None, "", ""], "b": [0, "b\n", ""]}


def test_a_question_that_fails_says_why_and_hides_no_other(node, told):
    found = told(questions={"a": ["space", "/no/such"], "b": ["run", "echo", "b"]})
    assert found["answers"] == {
        "a": [1, "", "FileNotFoundError: [Errno 2] No such file or directory: '/no/such'"],
        "b": [0, "b\n", ""],
    }


def test_what_docker_calls_unhealthy_is_asked_again(engine, told, tmp_path, monkeypatch):
    """And has the status of now."""
    asked = {"Test": ["CMD", "ask"]}
    for name in ("well", "ill"):
        one = container(name, name)
        one["Config"]["Healthcheck"] = asked
        one["State"]["Health"] = {"Status": "unhealthy"}
        engine.answers[f"/containers/{name}/json"] = (200, one)
    engine.answers["/containers/json"] = (200, [{"Id": "well"}, {"Id": "ill"}])
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$*" = "exec well timeout --signal=KILL 3 ask" ]\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = told()["containers"]
    healths = {one["Name"]: one["State"]["Health"]["Status"] for one in found}
    assert healths == {"/well": "healthy", "/ill": "unhealthy"}
