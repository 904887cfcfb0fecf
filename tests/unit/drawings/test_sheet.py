"""What is written of a shape: its numbers, its text, its look."""

import pytest

from lab.drawings.sheet import Look, Sheet

PLAIN = Look(light=".bar{fill:#123456}\n", dark=".bar{fill:#abcdef}\n")


def written(draw, look=PLAIN):
    """The lines below the card that shapes add."""
    sheet = Sheet("<title>", "this & that", 100, look)
    draw(sheet)
    lines = [line.strip() for line in sheet.finished(50).splitlines()]
    card = '<rect class="card" x="0.5" y="0.5" width="99" height="49" rx="6" />'
    assert lines[-1] == "</svg>"
    return lines[lines.index(card) + 1 : -1]


@pytest.mark.parametrize(
    ("draw", "line"),
    [
        (
            lambda sheet: sheet.rectangle("box", 1.0, 2.5, 100 / 3, 4),
            '<rect class="box" x="1" y="2.5" width="33.3" height="4" rx="6" />',
        ),
        (
            lambda sheet: sheet.rectangle("bar", 1, 2, 3, 4, corner=0),
            '<rect class="bar" x="1" y="2" width="3" height="4" rx="0" />',
        ),
        (
            lambda sheet: sheet.text("name mid", 10, 20.04, "<a> & b"),
            '<text class="name mid" x="10" y="20">&lt;a&gt; &amp; b</text>',
        ),
        (
            lambda sheet: sheet.arrow("line", (0, 1.5), (2.0, 1.5)),
            '<path class="line" d="M0 1.5 2 1.5" marker-end="url(#line)" />',
        ),
        (
            lambda sheet: sheet.arrow("line", (0, 0), (2, 0), (2, 9), both=True),
            '<path class="line" d="M0 0 2 0 2 9" marker-end="url(#line)"'
            ' marker-start="url(#line)" />',
        ),
    ],
)
def test_a_shape_is_written_as(draw, line):
    assert written(draw) == [line]


def test_what_is_said_besides_is_smaller_and_stands_after_it():
    assert written(lambda sheet: sheet.text("name", 1, 2, "ubuntu1", "<10.0.0.11>")) == [
        '<text class="name" x="1" y="2">ubuntu1'
        '<tspan dx="8" class="more">&lt;10.0.0.11&gt;</tspan>',
        "</text>",
    ]


def test_a_sheet_says_what_it_shows_and_how_large_it_is():
    lines = Sheet("<title>", "this & that", 100, PLAIN).finished(50.5).splitlines()
    assert lines[:3] == [
        '<svg aria-label="&lt;title&gt;" xmlns="http://www.w3.org/2000/svg" role="img"'
        ' viewBox="0 0 100 50.5">',
        " <title>&lt;title&gt;</title>",
        " <desc>this &amp; that</desc>",
    ]
    assert not [line for line in lines if "marker" in line]


def test_a_look_stands_beside_that_of_the_text_by_day_and_by_night():
    text = Sheet("x", "y", 100, PLAIN).finished(50)
    day, night = text.split("@media (prefers-color-scheme:dark){")
    assert ".card,.box{fill:#fff;stroke:#d5dbe1}\n.bar{fill:#123456}\n" in day
    assert ".card,.box{fill:#12181f;stroke:#2c3742}.bar{fill:#abcdef}\n}\n" in night


def test_each_kind_of_arrow_has_its_head():
    look = Look("", "", arrows=("line", "copy"))
    text = Sheet("x", "y", 100, look).finished(50)
    assert text.count("<marker ") == 2
    assert '<path d="M0 0 8 4 0 8z" class="copy-head" />' in text
