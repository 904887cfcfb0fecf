"""The comparison's table: medians, and ratios to the lab's own of the same turn."""

from lab.matrix import ratios
from lab.matrix.ratios import OWN, Ratio
from lab.matrix.results import Measurement

OTHER = "article-application"


def turn(own, other, errors=0):
    """At 4 and at 16 connections: (requests/s, p50)."""
    return {
        (who, connections): Measurement(requests, p50, 10.0, errors if who == OTHER else 0)
        for who, both in ((OWN, own), (OTHER, other))
        for connections, (requests, p50) in zip((4, 16), both, strict=True)
    }


TURNS = [
    turn(own=[(100.0, 40.0), (100.0, 160.0)], other=[(150.0, 20.0), (120.0, 150.0)]),
    # Everything half as fast, such as beside a neighbour: the ratio is the same.
    turn(own=[(50.0, 80.0), (50.0, 320.0)], other=[(75.0, 40.0), (60.0, 300.0)]),
    turn(own=[(100.0, 40.0), (100.0, 160.0)], other=[(200.0, 10.0), (90.0, 170.0)]),
]


def test_a_ratio_is_by_the_same_turn_s_own():
    def requests(measured):
        return measured.requests

    assert ratios.ratio(TURNS, OTHER, 4, requests) == Ratio(1.5, 1.5, 2.0)
    assert ratios.ratio(TURNS, OTHER, 16, requests) == Ratio(1.2, 0.9, 1.2)
    assert ratios.ratio(TURNS, OWN, 16, requests) == Ratio(1.0, 1.0, 1.0)


def test_the_table_has_the_lab_s_own_first_at_each_number_of_connections():
    assert ratios.table(TURNS).splitlines()[2:] == [
        "| 4 | this application, as it is | 100.0 | 40.0 | 10.0 | 1 | 1 | 1 |",
        "| 4 | the article's own application | 150.0 | 20.0 | 10.0"
        " | 1.50 (1.50-2.00) | 0.50 (0.25-0.50) | 1.00 (1.00-1.00) |",
        "| 16 | this application, as it is | 100.0 | 160.0 | 10.0 | 1 | 1 | 1 |",
        "| 16 | the article's own application | 90.0 | 170.0 | 10.0"
        " | 1.20 (0.90-1.20) | 0.94 (0.94-1.06) | 1.00 (1.00-1.00) |",
    ]


def test_answers_that_were_no_success_are_told():
    bad = turn([(1.0, 1.0)] * 2, [(1.0, 1.0)] * 2, errors=3)
    assert "| the article's own application (6 errors) |" in ratios.table([bad, bad])
