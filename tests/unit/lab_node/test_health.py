"""Who is asked again for its health, and how."""

import time

import pytest

from lab_node import health


def container(status="running", said="unhealthy", test=("CMD", "ask")):
    return {
        "Name": "/one",
        "Config": {"Healthcheck": {"Test": list(test)}},
        "State": {"Status": status, "Health": {"Status": said}},
    }


@pytest.mark.parametrize(
    ("one", "asked"),
    [
        (container(), True),
        (container(said="healthy"), False),
        (container(said="starting"), False),
        (container(status="paused"), False),
        (container(status="exited"), False),
        ({"Name": "/one", "Config": {}, "State": {"Status": "running"}}, False),
    ],
)
def test_who_is_asked_again(one, asked):
    assert health.ill([one]) == ([one] if asked else [])


@pytest.mark.parametrize(
    ("test", "argv"),
    [
        (("CMD", "ask", "a b"), ["ask", "a b"]),
        (("CMD-SHELL", "ask || exit 1"), ["/bin/sh", "-c", "ask || exit 1"]),
    ],
)
def test_it_is_asked_what_docker_asks(test, argv):
    wanted = ["docker", "exec", "one", "timeout", "--signal=KILL", "3", *argv]
    assert health.question(container(test=test)) == wanted


def test_who_does_not_answer_in_time_stays_ill(command, monkeypatch):
    command("docker", "exec sleep 30")
    monkeypatch.setattr(health, "TIMEOUT", 0.2)
    one, began = container(), time.monotonic()
    health.ask_again([one, container()])
    assert one["State"]["Health"]["Status"] == "unhealthy"
    assert time.monotonic() - began < 10
