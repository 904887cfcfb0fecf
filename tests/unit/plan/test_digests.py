"""No container of the lab is replaced by an update of the lab that was not meant to do so.

A container is replaced when its digest changes: by another field of its record, another order of
its environment, another default. Who means that changes the line here with it.
"""

import pytest

from lab.plan import plans
from tests.unit.plan.test_plans import LAB, SITE, containers_in

# Node, container, digest.
DELIVERED = [
    ("ubuntu1", "registry", "bb66a7a306a5d266"),
    ("ubuntu1", "mysql", "b0a382e1eed8559c"),
    ("ubuntu1", "cassandra", "206afdf4afe4240c"),
    ("ubuntu1", "django-default-bridge-1", "3414210e75a832c1"),
    ("ubuntu1", "nginx-default-bridge-1", "fbbcec1b83f0d205"),
    ("ubuntu2", "mysql", "de68cbc8833251ae"),
    ("ubuntu2", "cassandra", "a3cbf91d5742f15e"),
    ("ubuntu2", "django-custom-bridge-1", "4248cf0f53a99196"),
    ("ubuntu2", "nginx-custom-bridge-1", "17eb09a7f501efec"),
    ("ubuntu3", "mysql", "50cae6c41670501d"),
    ("ubuntu3", "cassandra", "daff36255fca65f7"),
    ("ubuntu3", "django-separate-hosts-1", "81927c23752bdec3"),
    ("ubuntu3", "haproxy", "d01cd469117624ae"),
    ("ubuntu3", "keepalived", "0fe1e76786db817e"),
    ("ubuntu4", "cassandra", "f2134b85780a44bd"),
    ("ubuntu4", "nginx-separate-hosts-1", "c2f8c5d1a8b7d52b"),
    ("ubuntu4", "haproxy", "d01cd469117624ae"),
    ("ubuntu4", "keepalived", "a03487f41962d727"),
]

# Mode of ubuntu2, container, digest: those that the delivered lab has on no node.
IN_OTHER_MODES = [
    ("unix-socket", "django-unix-socket-1", "bb2ddbcf56f89932"),
    ("unix-socket", "nginx-unix-socket-1", "19841098db4104a6"),
    ("all-in-one", "allinone-all-in-one-1", "daa31f9351a27945"),
]


def test_the_delivered_lab_s_containers_stay():
    assert [
        (node, container.name, container.digest)
        for node in LAB.names
        for container in plans.plan(SITE, node).containers
    ] == DELIVERED


@pytest.mark.parametrize("mode", ["unix-socket", "all-in-one"])
def test_the_containers_of_the_other_modes_stay(mode):
    found = [(mode, name, container.digest) for name, container in containers_in(mode).items()]
    assert found == [row for row in IN_OTHER_MODES if row[0] == mode]
