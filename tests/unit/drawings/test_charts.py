"""How long a bar is and where it stands."""

from xml.etree import ElementTree

from lab.drawings import charts
from lab.drawings.charts import Bar, Panel, Span

SVG = "{http://www.w3.org/2000/svg}"


def rectangles(text, *kinds):
    """kind, x, y, width and height, of these kinds."""
    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    names = ("class", "x", "y", "width", "height")
    shapes = [tuple(shape.get(name) for name in names) for shape in root.iter(f"{SVG}rect")]
    return [shape for shape in shapes if shape[0] in kinds and shape[-1] != "10"]


def texts(text):
    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    return [(t.get("x"), t.get("y"), t.text) for t in root.iter(f"{SVG}text")]


def test_each_group_of_bars_has_its_own_scale():
    text = charts.bars(
        "what it is",
        {
            "pages": [Bar("near", 200.0, "200/s"), Bar("far", 50.0, "50/s")],
            "files": [Bar("near", 8.0, "8 s")],
            "nothing": [],
        },
    )
    assert rectangles(text, "answered") == [
        ("answered", "146", "46", "620", "16"),
        ("answered", "146", "72", "155", "16"),
        ("answered", "146", "128", "620", "16"),
    ]
    assert texts(text) == [
        ("16", "30", "pages"),
        ("16", "58", "near"),
        ("772", "58", "200/s"),
        ("16", "84", "far"),
        ("307", "84", "50/s"),
        ("16", "112", "files"),
        ("16", "140", "near"),
        ("772", "140", "8 s"),
        ("16", "168", "nothing"),
    ]


def test_bars_of_nothing_have_no_length():
    text = charts.bars("what it is", {"pages": [Bar("near", 0.0, "0/s")]})
    assert rectangles(text, "answered") == [("answered", "146", "46", "0", "16")]


def test_failed_requests_stand_on_answered_ones_before_the_fault():
    text = charts.requests(
        "Drill x",
        "what it shows",
        [Panel("reads", {0: 3, 1: 4}, {1: 1}), Panel("writes", {}, {1: 2})],
        [Span(begin=0.5, undone=1.0, well=1.5)],
    )
    # 414 pixels a second; reads lie from 40 to 170, writes from 216 to 346.
    assert rectangles(text, *charts.LEGEND) == [
        ("fault", "255", "40", "207", "130"),
        ("recovering", "462", "40", "207", "130"),
        ("answered", "48", "92", "413", "78"),
        ("answered", "462", "66", "413", "104"),
        ("failed", "462", "40", "413", "26"),
        ("fault", "255", "216", "207", "130"),
        ("recovering", "462", "216", "207", "130"),
        ("failed", "462", "216", "413", "130"),
    ]
    assert texts(text)[0] == ("48", "20", "what it shows")
    assert texts(text)[-3:] == [
        ("48", "34", "reads: up to 5 a second"),
        ("48", "210", "writes: up to 2 a second"),
        ("48", "392", "0 s"),
    ]


def test_a_long_drill_has_few_marks_on_its_axis():
    text = charts.requests("Drill x", "what it shows", [Panel("reads", {179: 1}, {})], [])
    marks = [said for _, _, said in texts(text) if said.endswith(" s")]
    assert marks == ["0 s", "30 s", "60 s", "90 s", "120 s", "150 s", "180 s"]
