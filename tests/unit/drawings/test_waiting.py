"""The picture of who waited for whom, and what is told of it."""

from lab.drawings import waiting
from lab.engine.waits import Work, critical_path
from tests.unit.drawings.test_charts import rectangles, texts

WORKS = [
    Work(0, "lab", "up", 0.0, 10.0),
    Work(1, "ubuntu1", "pull mysql", 0.0, 4.0, 0),
    Work(2, "ubuntu2", "pull mysql", 0.0, 3.0, 0),
    Work(3, "ubuntu1", "start mysql", 4.0, 9.5, 0),
]


def test_lanes_of_nodes_stand_above_what_was_waited_for():
    text = waiting.picture("up", WORKS, critical_path(WORKS))
    # 79.6 pixels a second, from 80 on.
    assert rectangles(text, "busy", "awaited") == [
        ("awaited", "836.2", "40", "39.8", "12"),
        ("busy", "80", "60", "318.4", "12"),
        ("busy", "398.4", "60", "437.8", "12"),
        ("awaited", "80", "60", "318.4", "12"),
        ("awaited", "398.4", "60", "437.8", "12"),
        ("busy", "80", "80", "238.8", "12"),
        ("awaited", "80", "100", "318.4", "12"),
        ("awaited", "398.4", "120", "437.8", "12"),
    ]
    assert [said for _, _, said in texts(text)][:9] == [
        "fab up: what all else waited for (dark), and what was done beside it",
        *("lab", "ubuntu1", "ubuntu2"),
        *("ubuntu1", "ubuntu1: pull mysql 4.0 s"),
        *("ubuntu1", "ubuntu1: start mysql 5.5 s"),
        "0 s",
    ]


def test_the_longest_are_told_first():
    told = "ubuntu1: start mysql 5.5 s, ubuntu1: pull mysql 4.0 s, lab: up 0.5 s"
    assert waiting.longest(critical_path(WORKS)) == told
