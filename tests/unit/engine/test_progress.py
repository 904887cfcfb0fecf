"""Work at the same time: every failure is told, and an interruption lets what has begun end."""

import threading

import pytest

from lab.engine import progress
from lab.errors import LabError


def refuse(text):
    raise LabError(text)


def test_all_is_done_and_answered_by_name():
    assert progress.together({"a": lambda: 1, "b": lambda: 2}) == {"a": 1, "b": 2}
    assert progress.together({}) == {}


def test_every_failure_is_told_once_and_the_others_end_first():
    done = []
    with pytest.raises(LabError) as error:
        progress.together(
            {
                "a": lambda: refuse("one"),
                "b": lambda: refuse("two"),
                "c": lambda: refuse("one"),
                "d": lambda: done.append(True),
            }
        )
    assert str(error.value) == "one\ntwo"
    assert done == [True]


def test_after_an_interruption_what_has_begun_ends_and_nothing_more_begins(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_interruptions", [])
    release, ended = threading.Event(), []

    def begun():
        release.wait(10)
        ended.append("what had begun")
        progress.go_on()
        ended.append("what had not")

    def interrupt(_):
        raise KeyboardInterrupt

    def stop(*_):
        release.set()

    monkeypatch.setattr(progress, "wait", interrupt)
    monkeypatch.setattr(progress, "say", stop)
    with pytest.raises(KeyboardInterrupt):
        progress.together({"a": begun})
    assert ended == ["what had begun"]
