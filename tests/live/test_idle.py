"""What the lab takes of the processors while nobody uses it."""

import json
from collections import Counter
from functools import partial

import pytest

from lab.config.paths import FOLDER
from lab.engine.progress import together
from tests.conftest import TOPOLOGY

PROGRAM = (FOLDER / "tests" / "live" / "support" / "idle.py").read_text()
SECONDS = 30
# Of one thread, in a second. MySQL looks round a hundred times, and HAProxy asks 27 times.
OFTEN = 200


@pytest.fixture(scope="module")
def resting(running):
    """What each node tells, all of the same seconds."""
    ask = ("python3", "-I", "-", str(SECONDS))
    told = {name: partial(running.nodes[name].feed, PROGRAM, *ask) for name in TOPOLOGY.names}
    return {name: json.loads(answer) for name, answer in together(told).items()}


def test_what_it_takes_is_told(resting, tell):
    """In percent of one core."""
    services: Counter[str] = Counter()
    for node in resting.values():
        services.update(node["containers"])
    whole = sum(node["all"] for node in resting.values())
    services["all but containers"] = whole - sum(services.values())
    rows = (f"{percent:6.2f}  {name}" for name, percent in services.most_common())
    tell("\n".join((f"{whole:6.2f} % of a core, of which:", *rows)))
    assert set(services) >= {"mysql", "cassandra", "haproxy", "keepalived", "nginx", "django"}


def test_no_thread_wakes_again_and_again(resting):
    busy = {
        f"{name}: {thread}": rate
        for name, node in resting.items()
        for thread, rate in node["waits"].items()
        if rate > OFTEN
    }
    assert busy == {}
