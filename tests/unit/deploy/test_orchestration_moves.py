"""A moved web service: where lab.yml has it now serves before where it was is cleared away."""

import pytest

from lab.config.topology import WebService
from lab.deploy import deploy
from lab.deploy.up import bring_up
from tests.unit.delivered import LAB
from tests.unit.told import before, of, told

DJANGO_MOVED = (*LAB.web[:2], WebService(mode="separate-hosts", django="ubuntu2", nginx="ubuntu4"))
SERVICE_MOVED = (LAB.web[0], WebService(mode="custom-bridge", django="ubuntu4", nginx="ubuntu4"))

# Both nginx in front of the node are drained: the other's Django is on it, too.
TO_ANOTHER_DJANGO = """\
balancers: drain ubuntu2 ubuntu4
balancers: answered ubuntu2
balancers: answered ubuntu4
ubuntu2: write /etc/lab/firewall /etc/lab/release/release
ubuntu2: run django-separate-hosts-1 webapp_django:1
ubuntu2: write /etc/lab/read/django-separate-hosts-1
ubuntu2: healthy django-separate-hosts-1
ubuntu2: a user signs in
balancers: ready ubuntu2
balancers: drain ubuntu4 ubuntu2
balancers: answered ubuntu2
balancers: answered ubuntu4
ubuntu4: stop nginx-separate-hosts-1
ubuntu4: rm nginx-separate-hosts-1
ubuntu4: run nginx-separate-hosts-1 webapp_nginx:1
ubuntu4: healthy nginx-separate-hosts-1
ubuntu4: a user signs in
balancers: seen well ubuntu4
balancers: ready ubuntu4 ubuntu2
"""
LEFT = """\
ubuntu3: write /etc/lab/firewall
ubuntu3: stop django-separate-hosts-1
ubuntu3: rm django-separate-hosts-1
ubuntu3: volume rm webapp_static
ubuntu3: rm /etc/lab/release
ubuntu3: rm /etc/lab/secrets/django
"""


def deployed(world, web):
    """The lines of a deploy that moves a service, with no other release."""
    world.settle()
    world.topology = LAB.with_web(web, {})
    deploy.deploy(world.lab, world.topology.web)
    return told(world.journal)


def test_nginx_is_told_of_another_django_once_that_serves(world):
    lines = deployed(world, DJANGO_MOVED)
    first = lines.index("balancers: drain ubuntu2 ubuntu4")
    last = lines.index("balancers: ready ubuntu4 ubuntu2")
    assert lines[first : last + 1] == TO_ANOTHER_DJANGO.splitlines()
    assert of(lines[:first], "ubuntu3") == []
    assert of(lines[last:], "ubuntu3") == LEFT.splitlines()


ARRIVES = """\
ubuntu4: pull webapp_django:1
ubuntu4: pull webapp_static:1
balancers: drain ubuntu4
balancers: answered ubuntu4
ubuntu4: write 5 files to /etc/lab/secrets/django /etc/lab/release
ubuntu4: stop nginx-separate-hosts-1
ubuntu4: rm nginx-separate-hosts-1
ubuntu4: create network webapp
ubuntu4: create volume webapp_static
ubuntu4: run django-custom-bridge-1 webapp_django:1
ubuntu4: run nginx-custom-bridge-1 webapp_nginx:1
ubuntu4: write /etc/lab/read/django-custom-bridge-1
ubuntu4: healthy django-custom-bridge-1
ubuntu4: healthy nginx-custom-bridge-1
ubuntu4: a user signs in
balancers: seen well ubuntu4
balancers: ready ubuntu4
ubuntu4: write /etc/lab/haproxy/web.cfg
ubuntu4: exec haproxy reload-configuration.sh
ubuntu4: write /etc/lab/read/haproxy
"""
# The balancers know of it before; the volume is a copy, and goes with the last container.
LEAVES = """\
ubuntu2: stop django-custom-bridge-1
ubuntu2: rm django-custom-bridge-1
ubuntu2: stop nginx-custom-bridge-1
ubuntu2: rm nginx-custom-bridge-1
ubuntu2: network rm webapp
ubuntu2: volume rm webapp_static
ubuntu2: rm /etc/lab/release
ubuntu2: rm /etc/lab/secrets/django
"""


def test_a_service_arrives_at_another_node_before_it_leaves_its_own(world):
    lines = deployed(world, SERVICE_MOVED)
    assert of(lines, "balancers", "ubuntu4") == ARRIVES.splitlines()
    assert of(lines, "ubuntu2") == LEAVES.splitlines()
    for balancer in ("ubuntu3", "ubuntu4"):
        told_of_it = f"{balancer}: exec haproxy reload-configuration.sh"
        assert before(lines, "balancers: ready ubuntu4", told_of_it)
        assert before(lines, told_of_it, "ubuntu2: stop django-custom-bridge-1")


@pytest.mark.parametrize("web", [DJANGO_MOVED, SERVICE_MOVED], ids=["django", "service"])
def test_a_second_deploy_has_nothing_left_to_do(world, web):
    deployed(world, web)
    world.journal.clear()
    deploy.deploy(world.lab, world.topology.web)
    assert not [line for line in told(world.journal) if " stop " in line or " run " in line]


@pytest.mark.parametrize(
    ("web", "left"),
    [
        (DJANGO_MOVED, "ubuntu3: stop django-separate-hosts-1"),
        (SERVICE_MOVED, "ubuntu2: stop django-custom-bridge-1"),
    ],
    ids=["django", "service"],
)
def test_up_clears_away_what_moved_once_its_successor_serves(world, web, left):
    world.settle()
    world.topology = LAB.with_web(web, {})
    bring_up(world.lab)
    assert before(told(world.journal), "ubuntu4: a user signs in", left)


def test_up_has_an_nginx_leave_port_80_before_a_balancer_takes_it(world):
    world.settle()
    moved = LAB.with_web((LAB.web[0], LAB.web[2]), {})
    settings = moved.settings.model_copy(update={"balancers": ("ubuntu2", "ubuntu4")})
    world.topology = moved.model_copy(update={"settings": settings})
    bring_up(world.lab)
    lines = told(world.journal)
    assert before(lines, "ubuntu2: rm nginx-custom-bridge-1", "ubuntu2: run haproxy haproxy:1")
    assert before(lines, "ubuntu2: run haproxy haproxy:1", "ubuntu2: stop django-custom-bridge-1")


# What has port 80 goes before its successor comes; what only it used goes at last.
OTHER_MODE = """\
balancers: drain ubuntu2
balancers: answered ubuntu2
ubuntu2: write /etc/lab/release/release
ubuntu2: stop django-custom-bridge-1
ubuntu2: rm django-custom-bridge-1
ubuntu2: stop nginx-custom-bridge-1
ubuntu2: rm nginx-custom-bridge-1
ubuntu2: run allinone-all-in-one-1 webapp_allinone:1
ubuntu2: network rm webapp
ubuntu2: write /etc/lab/read/allinone-all-in-one-1
ubuntu2: healthy allinone-all-in-one-1
ubuntu2: a user signs in
balancers: seen well ubuntu2
balancers: ready ubuntu2
ubuntu4: rsync prune
ubuntu1: write /var/lib/lab/releases/RELEASE.json
ubuntu1: append to /var/lib/lab/releases/journal
"""


def test_a_node_gets_another_mode_in_its_turn(world):
    world.settle()
    world.topology = LAB.with_mode("ubuntu2", "all-in-one")
    deploy.deploy(world.lab, world.topology.web_services_of("ubuntu2"), other_mode=True)
    lines = told(world.journal)
    assert lines[lines.index("balancers: drain ubuntu2") :] == OTHER_MODE.splitlines()
