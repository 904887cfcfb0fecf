"""The web as a Swarm stack: it scales, outlives a node, rolls releases out and takes bad ones back.

Long: only `make test-all` runs it. What `make test` sees of the stack is in test_modes.py.
"""

import subprocess
from contextlib import contextmanager
from functools import partial

import pytest

from lab.balancers.balancers import balance
from lab.config.modes import OVERLAY
from lab.config.paths import FOLDER
from lab.context import Lab
from lab.deploy import swarm
from lab.deploy.building import build, builder_docker, built_lacks, send_sources
from lab.deploy.deploy import deploy
from lab.engine.ssh import wait_until
from lab.errors import LabError
from lab.machines import made
from lab.release import images
from lab.release.images import TEST_IMAGE
from lab.visitor.client import Client, status_of, wait_ready
from lab.visitor.watching import all_the_while
from tests.conftest import TOPOLOGY

pytestmark = pytest.mark.long
# Swarm's own patience with a silent node, and what it starts then.
MOVED_SECONDS = 90


@pytest.fixture(scope="module")
def stack(running):
    """The lab as a stack, and as lab.yml has it afterwards."""
    changed = Lab(TOPOLOGY.with_overlay())
    deploy(changed, ())
    yield changed
    deploy(running, TOPOLOGY.web)


@contextmanager
def asking():
    """Asks the site all the while; what it yields lists the answers that were no success."""
    look = partial(status_of, Client(TOPOLOGY.virtual_address), "/uwsgi_health", 10)
    with all_the_while(look) as seen:
        yield lambda: [status for _, status in seen if status != 200]
    assert len(seen) > 10


def tasks_by_node(lab):
    """node -> number of healthy Django tasks; nodes that don't answer have none."""
    counts = {}
    for name in TOPOLOGY.names:
        try:
            found = lab.nodes[name].observe().tasks.values()
        except LabError:
            found = ()
        counts[name] = sum(task.service == "django" and task.well for task in found)
    return counts


def wait_tasks(lab, count, seconds=MOVED_SECONDS):
    return wait_until(
        f"{count} Django tasks",
        lambda: tasks_by_node(lab),
        lambda counts: sum(counts.values()) == count,
        seconds=seconds,
        advice=lambda _: "docker service ps webapp_django",
    )


def as_other_tag(lab, source, tag):
    """An image that the builder has, in the registry as webapp_django:TAG."""
    target = images.reference(lab.topology.registry, "webapp_django", tag)
    builder_docker(lab, "tag", source, target)
    builder_docker(lab, "push", "--quiet", target)


def roll_out(lab, tag):
    release = lab.current_release()
    other = release.model_copy(update={"tags": release.tags | {"webapp_django": tag}})
    swarm.deploy(lab, other, lambda: balance(lab, other))


def test_its_tasks_have_the_limits_of_lab_yml_swap_included(stack):
    limits = {name: getattr(TOPOLOGY.limits, name) for name in ("django", "nginx")}
    expected = {
        name: {"Memory": one.memory * 2**20, "MemorySwap": one.memory * 2**20, "Pids": one.pids}
        for name, one in limits.items()
    }

    def look():
        """What each task may use, by node and program."""
        found = {}
        for node in TOPOLOGY.names:
            ids = stack.nodes[node].run("docker", "ps", "--quiet", "--filter", "label=lab.service")
            for one in stack.nodes[node].inspect(*ids.split()):
                program, mode = (
                    one["Config"]["Labels"].get(f"lab.{n}") for n in ("service", "mode")
                )
                if mode == OVERLAY:
                    may = one["HostConfig"]
                    found[node, program] = {
                        "Memory": may["Memory"],
                        "MemorySwap": may["MemorySwap"],
                        "Pids": may["PidsLimit"],
                    }
        return found

    # lab-follow tells Docker once a task has started.
    found = wait_until(
        "tasks that may not swap",
        look,
        lambda found: all(may["Memory"] == may["MemorySwap"] for may in found.values()),
        seconds=10,
        advice=lambda _: "journalctl --unit lab-follow",
    )
    assert {program for _, program in found} == {"django", "nginx"}
    for (node, program), may in found.items():
        assert may == expected[program], node


def test_it_scales(stack):
    swarm.scale(stack, 4)
    assert set(wait_tasks(stack, 4).values()) == {1}
    swarm.scale(stack, 3)
    wait_tasks(stack, 3)


def test_a_release_rolls_out_without_a_failed_request(stack):
    tag = stack.current_release().tags["webapp_django"]
    same = images.reference(stack.topology.registry, "webapp_django", tag)
    as_other_tag(stack, same, "same-again")
    with asking() as failed:
        roll_out(stack, "same-again")
    assert failed() == []
    wait_tasks(stack, 3)


def test_a_release_that_cannot_run_is_taken_back(stack):
    # It has all files, runs the application's own tests instead of serving, and ends.
    tag = images.tag(TEST_IMAGE)
    if built_lacks(stack, {TEST_IMAGE.name: tag}):
        send_sources(stack, {})
        build(stack, TEST_IMAGE, tag)
    ends = images.reference(stack.topology.registry, TEST_IMAGE.name, tag)
    as_other_tag(stack, ends, "no-server")
    with asking() as failed, pytest.raises(LabError, match="rollback_completed") as error:
        roll_out(stack, "no-server")
    assert failed() == []
    assert "the end of its tasks' logs" in str(error.value)
    assert sum(tasks_by_node(stack).values()) == 3


def test_a_lost_node_s_tasks_move_to_others(stack, running):
    lost = TOPOLOGY.names[-1]
    swarm.scale(stack, 4)
    wait_tasks(stack, 4)
    machine = made.load(TOPOLOGY.name).container(lost)
    # As if its power were cut.
    subprocess.run(("docker", "kill", machine), check=True, capture_output=True)
    try:
        counts = wait_tasks(stack, 4)
        assert counts[lost] == 0
        wait_ready(TOPOLOGY.virtual_address)
    finally:
        command = ("vagrant", "up", lost)
        subprocess.run(command, cwd=FOLDER, check=True, capture_output=True)
        stack.reconnect()
        running.reconnect()
    swarm.scale(stack, 3)
    wait_tasks(stack, 3)
