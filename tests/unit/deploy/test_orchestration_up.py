"""What `up` brings about: the first boot, and what it replaces one server after another."""

import re

import pytest

from lab.config.topology import NodeSettings, WebService
from lab.deploy.up import bring_up
from lab.errors import LabError
from tests.unit.delivered import LAB
from tests.unit.fake_lab import World
from tests.unit.told import before, told


@pytest.fixture(scope="module")
def booted(tmp_path_factory):
    """The lines of the first `up`, from machines on which nothing is."""
    with pytest.MonkeyPatch.context() as patched:
        world = World(patched, tmp_path_factory.mktemp("reports"))
        bring_up(world.lab)
        return told(world.journal)


FIRST_BOOT = {
    "the registry runs before it is pushed to": """\
        ubuntu1: build registry:1
        ubuntu1: hand over registry:1
        ubuntu1: run registry registry:1
        ubuntu1: healthy registry
        ubuntu1: push registry:1
        """,
    "an image is built and in the registry before a node wants it": """\
        ubuntu1: build mysql:1
        ubuntu1: push mysql:1
        ubuntu1: run mysql mysql:1
        """,
    "no database starts before both images are there: servers start everywhere at once": """\
        ubuntu1: push cassandra:1
        ubuntu1: run mysql mysql:1
        """,
    "the balancers lead to the databases, which are started before": """\
        ubuntu3: run mysql mysql:1
        ubuntu3: run haproxy haproxy:1
        """,
    "on a node without MySQL, too": """\
        ubuntu4: run cassandra cassandra:1
        ubuntu4: run haproxy haproxy:1
        """,
    "the databases are made ready by Django once its image is there": """\
        ubuntu1: push webapp_django:1
        ubuntu1: manage.py initialize
        ubuntu1: write /var/lib/lab/initialized
        """,
    "and all servers are healthy: MySQL": """\
        ubuntu2: healthy mysql
        ubuntu1: manage.py initialize
        """,
    "Cassandra": """\
        ubuntu4: healthy cassandra
        ubuntu1: manage.py initialize
        """,
    "and the balancers": """\
        ubuntu4: healthy haproxy
        ubuntu1: manage.py initialize
        """,
    "on the default bridge nginx starts once Django has an address": """\
        ubuntu1: publish static set 1
        ubuntu1: run django-default-bridge-1 webapp_django:1
        ubuntu1: healthy django-default-bridge-1
        ubuntu1: run nginx-default-bridge-1 by its script
        ubuntu1: healthy nginx-default-bridge-1
        """,
    "static files lie there before Django names them": """\
        ubuntu2: publish static set 1
        ubuntu2: run django-custom-bridge-1 webapp_django:1
        ubuntu2: run nginx-custom-bridge-1 webapp_nginx:1
        """,
    "also on the node of an nginx that has them rsynced": """\
        ubuntu3: publish static set 1
        ubuntu4: rsync add
        ubuntu3: run django-separate-hosts-1 webapp_django:1
        ubuntu3: healthy django-separate-hosts-1
        ubuntu4: run nginx-separate-hosts-1 webapp_nginx:1
        """,
    "the release is live once all that was done": """\
        ubuntu4: healthy nginx-separate-hosts-1
        ubuntu4: rsync prune
        ubuntu1: write /var/lib/lab/releases/RELEASE.json /var/lib/lab/releases/current
        ubuntu1: append to /var/lib/lab/releases/journal
        """,
}


@pytest.mark.parametrize("order", FIRST_BOOT.values(), ids=FIRST_BOOT)
def test_the_first_boot_has_its_order(booted, order):
    """Of what is done at the same time, what has to wait for what."""
    lines = [line.strip() for line in order.strip().splitlines()]
    assert [line for line in booted if line in lines] == lines


KNOWN = ("/etc/docker/certs.d/ubuntu1:5000/ca.crt", "/etc/lab/firewall", "/etc/lab/hosts")


MORE_NODES = LAB.settings.nodes | {"ubuntu5": NodeSettings(host=15, memory=2048)}
WITH_A_FIFTH = LAB.model_copy(
    update={"settings": LAB.settings.model_copy(update={"nodes": MORE_NODES})}
)
ON_THE_FIFTH = (LAB.web[0], WebService(mode="custom-bridge", django="ubuntu5", nginx="ubuntu5"))


def test_a_node_that_runs_nothing_knows_the_others_and_they_know_it(world):
    world.settle()
    world.topology = WITH_A_FIFTH
    world.boot("ubuntu5")
    bring_up(world.lab)
    for name in world.topology.names:
        files = world.machine(name).files
        assert [path for path in KNOWN if path not in files] == []
        assert files["/etc/lab/hosts"].endswith("192.168.56.15 ubuntu5\n"), name
        assert ",192.168.56.15 tcp" in files["/etc/lab/firewall"], name
    world.topology = LAB
    bring_up(world.lab)
    for name in LAB.names:
        assert world.machine(name).files["/etc/lab/hosts"].endswith("192.168.56.14 ubuntu4\n")


def test_a_new_node_trusts_the_registry_before_it_pulls(world):
    world.settle()
    world.topology = WITH_A_FIFTH.with_web(ON_THE_FIFTH, {})
    world.boot("ubuntu5")
    bring_up(world.lab)
    lines = [line for line in told(world.journal) if line.startswith("ubuntu5: ")]
    assert lines[0] == "ubuntu5: write 4 files to /etc/lab /etc/docker/certs.d/ubuntu1:5000"
    assert "ubuntu5: pull webapp_nginx:1" in lines[1:]


def test_whatever_a_node_runs_it_is_told_of_a_new_one(world):
    """One of these nodes has the web alone, one a balancer, and one nothing."""
    few = {
        "cassandra": ("ubuntu1", "ubuntu2", "ubuntu3"),
        "web": (LAB.web[0], WebService(mode="custom-bridge", django="ubuntu5", nginx="ubuntu5")),
    }
    seven = {f"ubuntu{n}": NodeSettings(host=10 + n, memory=2048) for n in (5, 6)}
    before = LAB.settings.model_copy(update={**few, "nodes": LAB.settings.nodes | seven})
    world.topology = LAB.model_copy(update={"settings": before})
    for name in ("ubuntu5", "ubuntu6"):
        world.boot(name)
    bring_up(world.lab)
    more = before.nodes | {"ubuntu7": NodeSettings(host=17, memory=2048)}
    world.topology = LAB.model_copy(update={"settings": before.model_copy(update={"nodes": more})})
    world.boot("ubuntu7")
    bring_up(world.lab)
    for name in world.topology.names:
        files = world.machine(name).files
        assert files["/etc/lab/hosts"].endswith("192.168.56.17 ubuntu7\n"), name
        assert ",192.168.56.17 tcp" in files["/etc/lab/firewall"], name


def test_where_no_service_serves_none_is_drained_and_nothing_is_stopped(booted):
    assert not [line for line in booted if "drain" in line or " stop " in line]


# `initialize` and rsync find nothing to do; records are written as they are.
AGAIN = """\
ubuntu1: manage.py initialize
ubuntu1: write /var/lib/lab/initialized
ubuntu1: write /var/lib/lab/posts_owned
ubuntu1: write /var/lib/lab/releases/RELEASE.json /var/lib/lab/releases/current
ubuntu1: write 7 files to /run/lab/once-initialize
ubuntu4: rsync add
ubuntu4: rsync prune
"""


def test_a_second_up_changes_nothing(world):
    bring_up(world.lab)
    world.journal.clear()
    bring_up(world.lab)
    assert sorted(told(world.journal)) == AGAIN.splitlines()


def test_a_lab_whose_databases_fail_has_no_release(world):
    world.never_healthy.add(("ubuntu2", "mysql:1"))
    with pytest.raises(LabError, match="^ubuntu2: healthy containers: not within 240 s"):
        bring_up(world.lab)
    assert "ubuntu1: manage.py initialize" not in told(world.journal)
    assert world.lab.current_release() is None


# The one without the virtual address first; the other one once it has given the address away.
BALANCERS = """\
ubuntu4: pull haproxy:2
ubuntu4: stop haproxy
ubuntu4: rm haproxy
ubuntu4: run haproxy haproxy:2
ubuntu4: stop keepalived
ubuntu4: rm keepalived
ubuntu4: run keepalived haproxy:2
ubuntu4: healthy haproxy
ubuntu4: healthy keepalived
ubuntu3: give the virtual address away
ubuntu3: pull haproxy:2
ubuntu3: stop haproxy
ubuntu3: rm haproxy
ubuntu3: run haproxy haproxy:2
ubuntu3: stop keepalived
ubuntu3: rm keepalived
ubuntu3: run keepalived haproxy:2
ubuntu3: healthy haproxy
ubuntu3: healthy keepalived
"""


def test_balancers_are_replaced_one_after_another_without_the_virtual_address(world):
    world.settle()
    world.sources(haproxy="2")
    bring_up(world.lab)
    lines = [one for one in told(world.journal) if "build" not in one and "push" not in one]
    words = ("haproxy", "keepalived", "virtual")
    assert [one for one in lines if any(w in one for w in words)] == BALANCERS.splitlines()


# Each node's in its turn: not before all others are healthy.
DATABASES = """\
ubuntu1: pull mysql:2
ubuntu1: pull cassandra:2
ubuntu1: stop mysql
ubuntu1: rm mysql
ubuntu1: run mysql mysql:2
ubuntu1: stop cassandra
ubuntu1: rm cassandra
ubuntu1: run cassandra cassandra:2
ubuntu1: healthy mysql
ubuntu1: healthy cassandra
ubuntu2: pull mysql:2
ubuntu2: pull cassandra:2
ubuntu2: stop mysql
ubuntu2: rm mysql
ubuntu2: run mysql mysql:2
ubuntu2: stop cassandra
ubuntu2: rm cassandra
ubuntu2: run cassandra cassandra:2
ubuntu2: healthy mysql
ubuntu2: healthy cassandra
ubuntu3: pull mysql:2
ubuntu3: pull cassandra:2
ubuntu3: stop mysql
ubuntu3: rm mysql
ubuntu3: run mysql mysql:2
ubuntu3: stop cassandra
ubuntu3: rm cassandra
ubuntu3: run cassandra cassandra:2
ubuntu3: healthy mysql
ubuntu3: healthy cassandra
ubuntu4: pull cassandra:2
ubuntu4: stop cassandra
ubuntu4: rm cassandra
ubuntu4: run cassandra cassandra:2
ubuntu4: healthy cassandra
"""


def test_database_servers_are_replaced_node_by_node(world):
    world.settle()
    world.sources(mysql="2", cassandra="2")
    bring_up(world.lab)
    lines = [one for one in told(world.journal) if "build" not in one and "push" not in one]
    servers = [one for one in lines if "mysql" in one or "cassandra" in one]
    assert servers == DATABASES.splitlines()


def test_what_does_not_serve_is_started_before_anything_that_does_is_replaced(world):
    world.settle()
    world.sources(mysql="2")
    world.machine("ubuntu3").containers["mysql"].running = False
    bring_up(world.lab)
    lines = told(world.journal)
    assert before(lines, "ubuntu3: healthy mysql", "ubuntu1: stop mysql")
    assert before(lines, "ubuntu1: healthy mysql", "ubuntu2: stop mysql")


def test_up_rolls_a_release_over_services_that_serve(world):
    world.settle()
    world.sources(webapp_django="2")
    bring_up(world.lab)
    lines = told(world.journal)
    assert before(lines, "ubuntu1: manage.py initialize", "balancers: drain ubuntu1")
    assert [line for line in lines if re.search("drain|ready| stop ", line)] == [
        "balancers: drain ubuntu1",
        "ubuntu1: stop django-default-bridge-1",
        "balancers: ready ubuntu1",
        "balancers: drain ubuntu2",
        "ubuntu2: stop django-custom-bridge-1",
        "balancers: ready ubuntu2",
        "balancers: drain ubuntu4",
        "ubuntu3: stop django-separate-hosts-1",
        "balancers: ready ubuntu4",
    ]


def test_what_a_killed_task_left_drained_is_tried_and_given_back(world):
    world.settle()
    for balancer in world.topology.settings.balancers:
        world.haproxy[balancer].told("set server nginx/ubuntu2 state drain\n")
    bring_up(world.lab)
    lines = told(world.journal)
    assert before(lines, "ubuntu2: a user signs in", "balancers: ready ubuntu2")
    assert "ubuntu1: a user signs in" not in lines


def test_a_balancer_that_moves_makes_room_before_its_successor_starts(world):
    world.settle()
    settings = world.topology.settings.model_copy(update={"balancers": ("ubuntu3", "ubuntu2")})
    world.topology = world.topology.model_copy(update={"settings": settings})
    bring_up(world.lab)
    lines = told(world.journal)
    assert before(lines, "ubuntu4: rm haproxy", "ubuntu2: run haproxy haproxy:1")
    assert before(lines, "ubuntu4: rm keepalived", "ubuntu2: run keepalived haproxy:1")
