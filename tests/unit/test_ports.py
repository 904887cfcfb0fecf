"""The port table of the lab as it is delivered, spelled out for every source and target."""

import pytest

from lab.config import topology
from tests.nodes import ports
from tests.unit.delivered import LAB, TEXT

# Columns: ports; rows: targets; one table per source. o open, . closed.
COLUMNS = "                22 80 9080 29000 3306 3307 33061 9200 9042 7000 5000"
TABLES = {
    "host": """
        virtual         .  o  o    .     .    .    .     .    .    .    .
        ubuntu1         o  o  .    .     .    .    .     .    .    .    .
        ubuntu2         o  o  .    .     .    .    .     .    .    .    .
        ubuntu3         o  o  o    .     .    .    .     .    .    .    .
        ubuntu4         o  o  .    .     .    .    .     .    .    .    .
    """,
    "ubuntu1": """
        virtual         .  o  o    .     o    o    .     .    .    .    .
        ubuntu1         o  o  .    .     o    .    o     o    o    o    o
        ubuntu2         o  o  .    .     o    .    o     o    o    o    .
        ubuntu3         o  o  o    .     o    .    o     o    o    o    .
        ubuntu4         o  o  .    .     .    .    .     .    o    o    .
    """,
    "ubuntu2": """
        virtual         .  o  o    .     o    o    .     .    .    .    .
        ubuntu1         o  o  .    .     o    .    o     o    o    o    o
        ubuntu2         o  o  .    .     o    .    o     o    o    o    .
        ubuntu3         o  o  o    .     o    .    o     o    o    o    .
        ubuntu4         o  o  .    .     .    .    .     .    o    o    .
    """,
    "ubuntu3": """
        virtual         .  o  o    .     o    o    .     .    .    .    .
        ubuntu1         o  o  .    .     o    .    o     o    o    o    o
        ubuntu2         o  o  .    .     o    .    o     o    o    o    .
        ubuntu3         o  o  o    o     o    .    o     o    o    o    .
        ubuntu4         o  o  .    .     .    .    .     .    o    o    .
    """,
    "ubuntu4": """
        virtual         .  o  o    .     o    o    .     .    .    .    .
        ubuntu1         o  o  .    .     o    .    o     o    o    o    o
        ubuntu2         o  o  .    .     o    .    o     o    o    o    .
        ubuntu3         o  o  o    o     o    .    o     o    o    o    .
        ubuntu4         o  o  .    .     .    .    .     .    o    o    .
    """,
}
VERDICTS = {"o": "open", ".": "closed"}


def rows():
    columns = [int(port) for port in COLUMNS.split()]
    for source, table in TABLES.items():
        for line in table.strip().splitlines():
            target, *marks = line.split()
            for port, mark in zip(columns, marks, strict=True):
                yield source, target, port, VERDICTS[mark]


@pytest.mark.parametrize(("source", "target", "port", "verdict"), list(rows()))
def test_the_rows_by_role_say_this_of_the_lab_as_delivered(source, target, port, verdict):
    sources = {place.name: place for place in ports.sources(LAB)}
    targets = {place.name: place for place in ports.targets(LAB)}
    assert ports.expected(LAB, sources[source], targets[target], port)[0] == verdict


@pytest.mark.parametrize(
    ("source", "target", "verdict"),
    [
        ("container of ubuntu1", "ubuntu1", "closed"),
        ("container of ubuntu1", "ubuntu3", "closed"),
        ("container of ubuntu2", "ubuntu3", "closed"),
        ("container of ubuntu3", "ubuntu3", "open"),
        ("container of ubuntu3", "ubuntu4", "closed"),
    ],
)
def test_containers_reach_uwsgi_only_on_their_own_node(source, target, verdict):
    sources = {place.name: place for place in ports.sources(LAB)}
    targets = {place.name: place for place in ports.targets(LAB)}
    assert ports.expected(LAB, sources[source], targets[target], 29000)[0] == verdict


def test_a_container_on_the_node_of_the_other_half_comes_under_that_node_s_address():
    text = TEXT.replace(
        "{mode: custom-bridge, django: ubuntu2, nginx: ubuntu2}",
        "{mode: separate-hosts, django: ubuntu4, nginx: ubuntu2}",
    )
    lab = topology.load(text, {})
    sources = {place.name: place for place in ports.sources(lab)}
    targets = {place.name: place for place in ports.targets(lab)}
    verdict = ports.expected(lab, sources["container of ubuntu4"], targets["ubuntu3"], 29000)[0]
    assert verdict == "open"
