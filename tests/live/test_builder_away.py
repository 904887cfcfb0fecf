"""The builder, with the registry on it, is needed to build and push; for nothing else."""

import random

import pytest

from lab.drills import drill as drills
from lab.drills.guard import guard, run
from lab.drills.targets import targets
from lab.engine.ssh import wait_until
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY
from tests.live.test_doctor import wait_well

BUILDER = TOPOLOGY.builder
OTHERS = [name for name in TOPOLOGY.names if name != BUILDER]
# Cassandra with its start from what is on its disk.
HEALTHY_SECONDS = 120


@pytest.mark.long
def test_programs_are_restarted_while_the_builder_is_off(running):
    """One of each, on nodes that have to do without their registry."""
    fault = drills.known(running)[f"{BUILDER}-off"]
    hit = targets(running, fault.role, random.Random(0))  # noqa: S311
    commands = [command for one in hit for command in fault.do(one)]
    undo = tuple(command for one in hit for command in fault.undo(one))
    with guard(drills.DRILL_REPORTS / "guard.log") as guarding, guarding.standing(undo):
        for command in commands:
            run(command)
        chosen = {
            container.service: (node, container.name)
            for node in OTHERS
            for container in running.nodes[node].observe().containers.values()
        }
        assert chosen.keys() >= {"nginx", "django", "haproxy", "keepalived", "mysql", "cassandra"}
        for node, name in chosen.values():
            running.nodes[node].run("docker", "restart", name)
        wait_until(
            "every restarted container healthy",
            lambda: {
                f"{node}: {name}": found.state
                for node, name in chosen.values()
                if not (found := running.nodes[node].observe().containers[name]).well
            },
            lambda ill: not ill,
            seconds=HEALTHY_SECONDS,
            advice=lambda _: "fab doctor",
        )
        client = Client(TOPOLOGY.virtual_address)
        status, _, page = client.sign_in("admin", running.secrets["django_admin_password"])
        assert (status, "Your posts" in page) == (200, True)
    running.reconnect()
    wait_well(running)
