"""How long the doctor waits, by what the machines are."""

import json
import subprocess
import sys
from dataclasses import astuple

import pytest

from lab.context import Lab
from lab.doctor import examine
from lab.doctor.checks import limits
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
    assert astuple(found) == seconds


@pytest.mark.parametrize(
    ("slowness", "seconds"),
    [
        (1, CONTAINERS),
        (0.5, CONTAINERS),
        (2.5, (7.5, 7.5, 7.5, 10, 13.8, 17.5)),
        # What hangs has to be told of some time.
        (5, (15, 15, 15, 20, 27.5, 35)),
        (50, (15, 15, 15, 20, 27.5, 35)),
    ],
)
def test_a_slow_machine_has_longer_in_its_measure(slowness, seconds):
    assert astuple(limits.CONTAINERS.stretched(slowness)) == seconds


@pytest.mark.parametrize(
    ("ran", "waited", "slowness"),
    [
        (300_000_000, 0, 1.0),
        (300_000_000, 300_000_000, 2.0),
        (300_000_000, 900_000_000, 4.0),
        # It hardly ran: that it waited says nothing.
        (1_000_000, 9_000_000, 1.0),
        (0, 0, 1.0),
    ],
)
def test_how_slow_a_machine_is_for_a_process_that_wants_to_work(ran, waited, slowness):
    assert limits.slowness(ran, waited) == slowness


def test_a_process_that_shares_its_processor_finds_that_it_is_slow():
    """With one other on the same one it takes about twice as long as it works."""
    code = """
import os, time
from lab.doctor.examine import Pace
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
other = os.fork()
while not other:
    pass
pace = Pace()
pace.slowness()
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print(pace.slowness())
os.kill(other, 9)
"""
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert float(done.stdout) > 1.5
