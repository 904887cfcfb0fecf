"""How often the lab is looked at, and which pages are asked for."""

from dataclasses import dataclass

import pytest

from lab.context import Lab
from lab.doctor import examine
from lab.doctor.checks.facts import Page
from lab.doctor.diagnosis import Check, Failure
from tests.unit.delivered import LAB

WELL, WRONG = Check("a", None), Check("a", Failure("seen", "do"))


@dataclass
class Looked:
    """Facts that say no more than what is found, and how busy the machine is."""

    found: tuple[Check, ...]
    busy: bool


@pytest.mark.parametrize(
    ("busy", "looks", "wanted", "patience"),
    [
        (False, [WELL], WELL, [1]),
        (False, [WRONG], WRONG, [1]),
        (True, [WELL], WELL, [1]),
        (True, [WRONG, WRONG], WRONG, [1, 2]),
        (True, [WRONG, WELL], WELL, [1, 2]),
    ],
)
def test_a_busy_machine_is_looked_at_twice_before_anybody_is_named(
    monkeypatch, busy, looks, wanted, patience
):
    asked, rest = [], iter(looks)

    def gather(_, patience=1):
        asked.append(patience)
        return Looked((next(rest),), busy)

    monkeypatch.setattr(examine, "gather", gather)
    monkeypatch.setattr(examine, "checks", lambda facts: facts.found)
    assert examine.examine(None) == (wanted,)
    assert asked == patience


ANSWERED, NOTHING = Page(502), Page(0, "Connection refused")


@pytest.mark.parametrize(
    ("answers", "asked", "pages"),
    [
        ([ANSWERED] * 3, ["nginx", "page", "static"], [ANSWERED] * 3),
        ([NOTHING], ["nginx"], [NOTHING] * 3),
        ([ANSWERED, NOTHING], ["nginx", "page"], [ANSWERED, NOTHING, NOTHING]),
    ],
)
def test_who_does_not_answer_at_all_is_not_asked_for_more(answers, asked, pages):
    names, rest, visited, found = ("nginx", "page", "static"), iter(answers), [], {}

    def ask(name):
        visited.append(name)
        return next(rest)

    examine._visit({("a", name): lambda name=name: ask(name) for name in names}, found)
    assert (visited, [found["a", name] for name in names]) == (asked, pages)


def test_pages_are_asked_of_each_node_that_may_have_nginx():
    """ubuntu3 has none, neither as it is delivered nor in a stack."""
    asked = examine._pages(Lab(LAB), 3)
    assert {node: [name for _, name in steps] for node, steps in asked.items()} == {
        "": ["site"],
        **dict.fromkeys(("ubuntu1", "ubuntu2", "ubuntu4"), ["nginx", "page", "static"]),
    }
