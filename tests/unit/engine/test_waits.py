"""The critical path: what the last one to end had waited for."""

import pytest

from lab.engine import waits
from lab.engine.progress import together
from lab.engine.waits import Work, coarse, critical_path

ALL = Work(0, "lab", "all", 0.0, 10.0)


@pytest.mark.parametrize(
    ("works", "path"),
    [
        ([], []),
        ([ALL], [("all", 0.0, 10.0)]),
        (
            # One after the other, with something between that is told by nobody.
            [ALL, Work(1, "one", "a", 1.0, 4.0, 0), Work(2, "two", "b", 6.0, 10.0, 0)],
            [("all", 0.0, 1.0), ("a", 1.0, 4.0), ("all", 4.0, 6.0), ("b", 6.0, 10.0)],
        ),
        (
            # At the same time: nobody waits for what ends first.
            [ALL, Work(1, "one", "a", 0.0, 4.0, 0), Work(2, "two", "b", 0.0, 9.0, 0)],
            [("b", 0.0, 9.0), ("all", 9.0, 10.0)],
        ),
        (
            # Parts of parts.
            [
                ALL,
                Work(1, "one", "a", 2.0, 9.0, 0),
                Work(2, "one", "b", 3.0, 5.0, 1),
                Work(3, "two", "c", 0.0, 2.0, 0),
            ],
            [
                *(("c", 0.0, 2.0), ("a", 2.0, 3.0), ("b", 3.0, 5.0), ("a", 5.0, 9.0)),
                ("all", 9.0, 10.0),
            ],
        ),
        (
            # An image that is built beside it is awaited, and what had it begin comes before.
            [
                ALL,
                Work(1, "one", "build", 1.0, 7.0, 0),
                Work(2, "two", "start", 2.0, 10.0, 0, [1]),
            ],
            [("all", 0.0, 1.0), ("build", 1.0, 7.0), ("start", 7.0, 10.0)],
        ),
        (
            # It was there already.
            [
                ALL,
                Work(1, "one", "build", 1.0, 2.0, 0),
                Work(2, "two", "start", 3.0, 10.0, 0, [1]),
            ],
            [("all", 0.0, 1.0), ("build", 1.0, 2.0), ("all", 2.0, 3.0), ("start", 3.0, 10.0)],
        ),
        (
            # What took no time at all is no reason to look at it again.
            [ALL, Work(1, "one", "a", 5.0, 5.0, 0), Work(2, "one", "b", 5.0, 5.0, 0)],
            [("all", 0.0, 5.0), ("all", 5.0, 10.0)],
        ),
    ],
)
def test_the_path_leads_from_the_beginning_to_the_end(works, path):
    assert [(s.work.what, s.began, s.ended) for s in critical_path(works)] == path


def test_what_was_short_or_its_only_command_counts_as_what_it_was_a_part_of():
    works = [
        ALL,
        Work(1, "one", "wait", 0.0, 4.0, 0),
        *(Work(2 + i, "one", "look", i, i + 0.5, 1) for i in range(4)),
        Work(6, "two", "pull", 4.0, 8.0, 0),
        Work(7, "two", "docker pull", 4.0, 8.0, 6, command=True),
        Work(8, "two", "lab-build", 8.0, 9.0, 0, command=True),
    ]
    path = coarse(critical_path(works), works, 1.0)
    assert [(s.work.what, s.began, s.ended) for s in path] == [
        ("wait", 0.0, 4.0),
        ("pull", 4.0, 8.0),
        ("lab-build", 8.0, 9.0),
        ("all", 9.0, 10.0),
    ]


def test_a_thread_s_work_is_a_part_of_what_had_it_begin(monkeypatch):
    monkeypatch.setattr(waits, "_works", noted := [])

    def pull():
        with waits.work("one", "pull"):
            waits.note("two", "boot", 1.0, 2.0)

    with waits.work("lab", "all") as everything, waits.work("lab", "built") as built:
        together({"one": pull})
    with waits.work("lab", "later") as later:
        waits.awaits(built)
    above = {one.number: one.what for one in noted}
    assert [(one.what, above.get(one.part_of)) for one in noted] == [
        ("boot", "pull"),
        ("pull", "built"),
        ("built", "all"),
        ("all", None),
        ("later", None),
    ]
    assert later.awaited == [built.number]
    assert everything.began <= built.began <= built.ended <= everything.ended
