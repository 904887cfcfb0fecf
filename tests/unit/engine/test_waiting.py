"""How often something is looked at that is waited for."""

import time

import pytest

from lab.engine import ssh


@pytest.mark.parametrize(
    ("took", "pause"),
    [(0.0, 0.2), (0.1, 0.2), (0.7, 0.7), (30.0, 2.0)],
)
def test_between_two_looks_there_is_as_much_time_as_a_look_takes(monkeypatch, took, pause):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def look():
        now[0] += took
        return "seen"

    seen, seconds = ssh.paced(look)
    assert (seen, round(seconds, 6)) == ("seen", pause)


def test_a_wait_pauses_so_long(monkeypatch):
    now, pauses, looks = [100.0], [], iter(["no", "no", "yes"])

    def pausing(seconds):
        pauses.append(round(seconds, 6))
        now[0] += seconds

    def look():
        now[0] += 0.5
        return next(looks)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", pausing)
    found = ssh.wait_until("it", look, lambda a: a == "yes", seconds=9, advice=lambda _: "look")
    assert (found, pauses) == ("yes", [0.5, 0.5])
