"""What lab.yml takes away goes, what it gives back returns, and data servers change one by one.

Long: only `make test-all` runs it.
"""

from functools import partial

import pytest

from lab.context import Lab
from lab.deploy.up import bring_up
from lab.doctor.status import status
from lab.errors import LabError
from lab.visitor.client import Client
from lab.visitor.watching import all_the_while
from tests.conftest import TOPOLOGY

pytestmark = pytest.mark.long
SETTINGS = TOPOLOGY.settings


def changed(**settings):
    """The lab as it would be with some of lab.yml's keys otherwise."""
    update = {"settings": SETTINGS.model_copy(update=settings)}
    return Lab(TOPOLOGY.model_copy(update=update))


def lacking(lab, nodes):
    """The nodes whose data servers are not all there and well."""
    try:
        return frozenset(node for node in nodes if _lacks_data(lab, node))
    except LabError as error:
        return str(error)


def _lacks_data(lab, node):
    wanted = {
        program
        for program, nodes in (("mysql", SETTINGS.mysql), ("cassandra", SETTINGS.cassandra))
        if node in nodes
    }
    return wanted - {c.service for c in lab.nodes[node].observe().containers.values() if c.well}


def ring(lab, node):
    lines = lab.nodes[node].run("docker", "exec", "cassandra", "nodetool", "status").splitlines()
    return sorted(line.split()[1] for line in lines if line.startswith("UN"))


@pytest.mark.skipif(
    len(SETTINGS.cassandra) < 4, reason="lab.yml has no Cassandra node that could be spared"
)
def test_a_ring_gets_smaller_and_larger_again_and_keeps_what_it_has(running):
    leaving, staying = SETTINGS.cassandra[-1], SETTINGS.cassandra[:-1]
    client = Client(TOPOLOGY.virtual_address)
    client.sign_in("admin", running.secrets["django_admin_password"])
    client.post("/posts/create", {"content": "written before the ring changed"})
    smaller = changed(cassandra=tuple(reversed(staying)))
    bring_up(smaller)
    assert status(smaller).troubles() == []
    assert ring(smaller, staying[0]) == sorted(TOPOLOGY.addresses(staying))
    assert "cassandra" not in running.nodes[leaving].observe().containers
    bring_up(running)
    assert status(running).troubles() == []
    assert ring(running, leaving) == sorted(TOPOLOGY.addresses(SETTINGS.cassandra))
    assert "written before the ring changed" in client.get("/posts/")[2]


def test_data_servers_with_another_record_are_replaced_one_at_a_time(running):
    limit = SETTINGS.limits.mysql.model_copy(update={"pids": SETTINGS.limits.mysql.pids + 1})
    other = changed(limits=SETTINGS.limits.model_copy(update={"mysql": limit}))
    # As a task that was cut off leaves it: the neighbour of one that has to wait for its turn.
    running.nodes[SETTINGS.mysql[-1]].run("docker", "stop", "cassandra")
    try:
        with all_the_while(partial(lacking, Lab(TOPOLOGY), SETTINGS.mysql)) as looks:
            bring_up(other)
        assert status(other).troubles() == []
    finally:
        bring_up(running)
    seen = {found for _, found in looks}
    assert seen <= {frozenset(), *(frozenset({node}) for node in SETTINGS.mysql)}
    assert len(seen) > 1


def test_a_balancer_moves_to_another_node(running):
    first, second = SETTINGS.balancers
    spare = next(name for name in TOPOLOGY.names if name not in SETTINGS.balancers)
    moved = changed(balancers=(first, spare))
    try:
        bring_up(moved)
        assert status(moved).troubles() == []
        assert not {"haproxy", "keepalived"} & set(running.nodes[second].observe().containers)
        assert Client(TOPOLOGY.virtual_address).get("/uwsgi_health")[0] == 200
    finally:
        bring_up(running)
    assert status(running).troubles() == []
