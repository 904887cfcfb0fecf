"""What is found against what is planned: what counts as trouble, and what only lasts a while."""

import pytest

from lab.config.topology import Limit
from lab.doctor.status import Status
from lab.engine.observation import Observation, Running
from lab.plan.records import Container, Plan
from lab.release.releases import Release
from tests.unit.delivered import LAB

LIMIT = Limit(cpus=1, memory=64, pids=32, write=20)
RELEASE = Release(name="20261124-0815-abcdef", time="2026-11-24T08:15:00+00:00", tags={})
MYSQL = Container("mysql", "mysql", "r/mysql:1", LIMIT)
DJANGO = Container("django-custom-bridge-1", "django", "r/django:1", LIMIT, mode="custom-bridge")
OTHER = Container("django-default-bridge-1", "django", "r/django:1", LIMIT, mode="default-bridge")
NODE = "ubuntu2"


def status(*running, plan=(MYSQL, DJANGO)):
    others = [name for name in LAB.names if name != NODE]
    found = dict.fromkeys(others, Observation()) | {
        NODE: Observation({container.name: container for container in running})
    }
    plans = dict.fromkeys(others, Plan()) | {NODE: Plan(plan)}
    return Status(LAB, RELEASE, found, plans)


def running(container, state="running", health="healthy", digest=None):
    return Running(
        *(container.name, container.service, container.mode, container.image, state, health),
        digest or container.digest,
    )


@pytest.mark.parametrize(
    ("containers", "troubles"),
    [
        ([running(MYSQL), running(DJANGO)], []),
        ([running(DJANGO)], ["ubuntu2: mysql is absent"]),
        ([running(MYSQL)], ["ubuntu2: django-custom-bridge-1 is absent"]),
        ([running(MYSQL, "exited", None), running(DJANGO)], ["ubuntu2: mysql is exited"]),
        (
            [running(MYSQL, digest="old"), running(DJANGO)],
            ["ubuntu2: mysql is not as lab.yml and the release say: run `fab up`"],
        ),
        ([running(MYSQL), running(DJANGO, digest="another release")], []),
    ],
    ids=[
        "as planned",
        "data absent",
        "web absent",
        "not running",
        "data with another record",
        "web of another release",
    ],
)
def test_troubles(containers, troubles):
    found = status(*containers)
    assert found.troubles() == troubles
    assert found.healthy == (not troubles)


def test_what_no_plan_wants_is_trouble():
    found = status(running(MYSQL), running(DJANGO), plan=(DJANGO,))
    assert found.troubles() == ["ubuntu2: mysql should not be there: run `fab up`"]


def test_a_node_in_another_mode_is_expected_to_run_all_that_this_mode_wants():
    assert status(running(MYSQL), running(OTHER), plan=(MYSQL, OTHER)).healthy
    found = status(running(MYSQL), plan=(MYSQL, OTHER))
    assert found.troubles() == ["ubuntu2: django-default-bridge-1 is absent"]


@pytest.mark.parametrize(
    ("container", "changed", "shown"),
    [
        (running(DJANGO), [], "custom-bridge\n"),
        (
            running(OTHER),
            ["django-default-bridge-1"],
            "default-bridge  (until the next deploy; lab.yml: custom-bridge)\n",
        ),
        (
            running(DJANGO, digest="another release"),
            ["django-custom-bridge-1"],
            "custom-bridge  (another release until the next deploy)\n",
        ),
    ],
    ids=["as planned", "another mode", "another release"],
)
def test_what_lasts_until_the_next_deploy_is_shown(container, changed, shown):
    found = status(running(MYSQL), container)
    assert found.changed_web(NODE) == changed
    assert f"\nubuntu2  192.168.56.12  {shown}" in found.as_table()


def test_a_node_that_does_not_answer_is_trouble():
    found = status(running(MYSQL), running(DJANGO))
    found.observations["ubuntu4"] = None
    assert found.troubles() == ["ubuntu4: no answer"]
