"""How often something is looked at that is waited for."""

import time

import pytest

from lab.engine import ssh
from lab.visitor.watching import all_the_while


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


def test_what_is_looked_at_all_the_while_has_as_long_a_rest_as_each_look_takes():
    looks = []

    def look():
        began = time.monotonic()
        time.sleep(0.2)
        looks.append((began, time.monotonic()))

    with all_the_while(look):
        while len(looks) < 3:
            time.sleep(0.01)
    for (began, ended), (again, _) in zip(looks, looks[1:], strict=False):
        assert again - ended >= 0.9 * (ended - began)
