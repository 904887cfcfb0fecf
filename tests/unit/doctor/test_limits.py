"""How long the doctor waits, by what the machines are."""

import json

import pytest

from lab.context import Lab
from lab.doctor import examine
from lab.doctor.checks import limits, questions
from lab.machines import made
from tests.unit.delivered import LAB

# Of machines, in the order of the record: greeting, page, answer, command, node, lab.
CONTAINERS = (3, 3, 3, 4, 5.5, 7)
VIRTUAL = (15, 15, 15, 20, 30, 40)


@pytest.mark.parametrize(
    ("provider", "seconds"),
    [
        ("docker", CONTAINERS),
        ("libvirt", VIRTUAL),
        ("virtualbox", VIRTUAL),
        # Nothing says what they are.
        (None, CONTAINERS),
    ],
)
def test_virtual_machines_have_longer(monkeypatch, tmp_path, provider, seconds):
    monkeypatch.setattr(made, "FILE", tmp_path / "machines.json")
    if provider:
        machines = {"one": {"name": "lab-one", "volumes": []}}
        told = {"name": "lab", "provider": provider, "made_from": None, "machines": machines}
        made.FILE.write_text(json.dumps(told))
    found = examine._limits(Lab(LAB))
    assert (
        *(found.greeting, found.page, found.answer, found.command, found.node, found.lab),
    ) == seconds


# Question -> which word of its command is the time limit.
LIMITED = {"registry": 8, "nginx": 8, "haproxy": 8, "group": 4, "cql": 5, "cassandra": 1}


@pytest.mark.parametrize(
    ("own", "wanted"), [(limits.CONTAINERS, "3"), (limits.VIRTUAL_MACHINES, "15")]
)
def test_who_is_asked_on_a_node_has_the_answer_s_time(own, wanted):
    # Between them they have all that can be asked.
    asked = questions.commands(LAB, "ubuntu1", (), own)
    asked |= questions.commands(LAB, "ubuntu3", (), own)
    assert {name: asked[name][at] for name, at in LIMITED.items()} == dict.fromkeys(LIMITED, wanted)
    assert f"timeout={wanted})" in asked["certificate"][-1]
    inside = questions.inside(LAB, "ubuntu1", own)
    assert inside["django"]["django"][-1] == inside["nginx"]["through"][-1] == wanted
