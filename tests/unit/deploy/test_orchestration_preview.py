"""`fab plan` beside what is then done: it asks, changes nothing, and tells it all."""

import re

import pytest

from lab.deploy import deploy, preview
from lab.deploy.up import bring_up
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.lifecycle import boot
from tests.unit.delivered import LAB
from tests.unit.deploy.test_orchestration_moves import DJANGO_MOVED, SERVICE_MOVED
from tests.unit.told import told


@pytest.fixture(autouse=True)
def machines(monkeypatch):
    """As Vagrant left them."""
    monkeypatch.setattr(boot, "made_as_wanted", lambda _: True)
    monkeypatch.setattr(boot, "outdated", lambda _: ())
    monkeypatch.setattr(boot, "all_answer", lambda _: True)


def planned(world, services=None, *, whole=False):
    """What it says, a line each; nothing may have been changed for it."""
    services = world.topology.web if services is None else services
    found = preview.preview(world.lab, services, whole=whole)
    assert told(world.journal) == []
    return [f"{line.where}: {line.what}" for line in found]


def test_there_is_nothing_to_do_on_an_unchanged_lab(world):
    world.settle()
    assert planned(world) == []
    assert planned(world, whole=True) == []


EDITED = """\
lab: a new release takes the place of 20261124-0815-abcdef
lab: build, unless the builder has them, and push: webapp_django:2
lab: initialize the databases: no release like this one did so yet
ubuntu1: write /etc/lab/release/release
ubuntu1: pull webapp_django:2
ubuntu1: replace django-default-bridge-1: webapp_django:2 instead of webapp_django:1
ubuntu1: readdress nginx-default-bridge-1: django-default-bridge-1 may get another address
ubuntu2: write /etc/lab/release/release
ubuntu2: pull webapp_django:2
ubuntu2: replace django-custom-bridge-1: webapp_django:2 instead of webapp_django:1
ubuntu3: write /etc/lab/release/release
ubuntu3: pull webapp_django:2
ubuntu3: replace django-separate-hosts-1: webapp_django:2 instead of webapp_django:1
lab: remove static files and images that neither pages nor releases need
"""


def test_after_an_edit_of_a_view_and_once_that_is_deployed(world):
    world.settle()
    world.sources(webapp_django="2")
    assert planned(world) == EDITED.splitlines()
    deploy.deploy(world.lab, world.topology.web)
    world.journal.clear()
    assert planned(world) == []


def edited(world, **tags):
    world.sources(**tags)


def moved(world, web):
    world.topology = LAB.with_web(web, {})


def rewired(world, node, mode):
    world.topology = LAB.with_mode(node, mode)


def stacked(world):
    world.topology = LAB.with_overlay()


def out_of_the_stack(world):
    stacked(world)
    deploy.deploy(world.lab, ())
    world.topology = LAB
    world.journal.clear()


def stopped(world, node, name):
    world.machine(node).containers[name].running = False


def gone(world, node, name):
    del world.machine(node).containers[name]


OF = {
    "a view": lambda world: edited(world, webapp_django="2"),
    "a style sheet": lambda world: edited(world, webapp_static="2"),
    "both": lambda world: edited(world, webapp_django="2", webapp_static="2"),
    "nginx": lambda world: edited(world, webapp_nginx="2"),
    "django moved": lambda world: moved(world, DJANGO_MOVED),
    "a service moved": lambda world: moved(world, SERVICE_MOVED),
    "another mode": lambda world: rewired(world, "ubuntu2", "all-in-one"),
    "into a stack": stacked,
    "out of a stack": out_of_the_stack,
    "the registry stopped": lambda world: stopped(world, "ubuntu1", "registry"),
    "databases": lambda world: edited(world, mysql="2", cassandra="2"),
    "balancers": lambda world: edited(world, haproxy="2"),
    "haproxy gone": lambda world: gone(world, "ubuntu4", "haproxy"),
}
CASES = [
    *(("deploy", of) for of in OF if of not in ("databases", "balancers", "haproxy gone")),
    *(("up", of) for of in OF if of not in ("into a stack", "another mode")),
    *(("one node", of) for of in ("a view", "both", "another mode", "the registry stopped")),
]

# What is told, and done: (a pattern of lines, what it says of a container or an image).
TOLD = {
    r"pull (\S+)": "pull",
    r"(?:start|replace|readdress) ([^:]+): .*": "start",
    r"(?:replace|remove) ([^:/ ]+): .*": "stop",
    r"reload ([^:]+): .*": "reload",
    r"lay the static files of webapp_static:(\S+) .*": "publish",
}
DONE = {
    r"(?:pull|hand over) (\S+)": "pull",
    r"run (\S+) (?:by its script|\S+:\S+)": "start",
    r"stop (\S+)": "stop",
    r"exec (\S+) reload-configuration.sh": "reload",
    r"publish static set (\S+)": "publish",
}


def acts(lines, patterns):
    """(node, act, thing) of each line that is one of these."""
    found = set()
    for line in lines:
        node, what = line.split(": ", 1)
        for pattern, act in patterns.items():
            if match := re.fullmatch(pattern, what):
                found.add((node, act, match[1]))
    return found


@pytest.mark.parametrize(("task", "of"), CASES, ids=[" of ".join(case) for case in CASES])
def test_what_is_told_is_what_is_done(world, task, of):
    world.settle()
    OF[of](world)
    services = world.topology.web_services_of("ubuntu2") if task == "one node" else None
    lines = planned(world, services, whole=task == "up")
    if task == "up":
        bring_up(world.lab)
    else:
        deploy.deploy(world.lab, world.topology.web if services is None else services)
    done = acts(told(world.journal), DONE)
    # An nginx that is told an address is replaced by its script alone.
    by_script = {("ubuntu1", "stop", "nginx-default-bridge-1")}
    assert acts(lines, TOLD) - by_script == done - by_script


@pytest.mark.parametrize("before", ["nothing", "another node", "another node's older release"])
def test_what_is_told_of_a_first_deploy_of_one_node_is_what_is_done(world, before):
    if before != "nothing":
        deploy.deploy(world.lab, world.topology.web_services_of("ubuntu3"))
    if before == "another node's older release":
        edited(world, webapp_django="2")
    world.journal.clear()
    services = world.topology.web_services_of("ubuntu2")
    lines = planned(world, services)
    assert lines[0] == "lab: make the first release, and start all that it needs"
    deploy.deploy(world.lab, services)
    assert acts(lines, TOLD) == acts(told(world.journal), DONE)


@pytest.mark.parametrize("whole", [True, False])
def test_a_server_that_a_killed_task_left_drained_gets_requests_again(world, whole):
    world.settle()
    for balancer in world.topology.settings.balancers:
        world.haproxy[balancer].told("set server nginx/ubuntu4 state drain\n")
    again = "ubuntu4: gets requests again: a task that was cut off left it drained"
    assert planned(world, whole=whole) == [again]
    assert planned(world, world.topology.web_services_of("ubuntu2")) == []


def test_of_one_node_it_refuses_what_a_deploy_of_one_node_refuses(world):
    world.settle()
    stacked(world)
    deploy.deploy(world.lab, ())
    world.topology = LAB
    world.journal.clear()
    with pytest.raises(LabError, match="^-H: the web is a Swarm stack of all nodes now"):
        planned(world, world.topology.web_services_of("ubuntu2"))


def test_a_first_boot_begins_with_a_release(world):
    lines = planned(world, whole=True)
    assert lines[:3] == [
        "lab: make the first release, and start all that it needs",
        "lab: build and push what the registry lacks once it can be asked",
        "lab: initialize the databases: no release like this one did so yet",
    ]
    assert "ubuntu4: start haproxy: it is absent" in lines


def test_where_a_node_is_away_vagrant_is_first(world, monkeypatch):
    world.settle()
    monkeypatch.setattr(boot, "all_answer", lambda _: False)
    monkeypatch.setattr(Node, "observe", lambda *_: pytest.fail("a node was asked"))
    assert planned(world, whole=True) == [
        "lab: have Vagrant bring up what does not answer: more can be told then"
    ]


def test_machines_come_first(world, monkeypatch):
    world.settle()
    monkeypatch.setattr(boot, "made_as_wanted", lambda _: False)
    monkeypatch.setattr(boot, "outdated", lambda _: ("ubuntu1", "ubuntu4"))
    assert planned(world, whole=True) == [
        "lab: have Vagrant look at the machines: they are not known as lab.yml's",
        "lab: provision with what has changed in provision/: ubuntu1, ubuntu4",
    ]


def test_commands_stand_below_what_they_do():
    lines = (
        preview.Announcement(
            "ubuntu1", "pull webapp_django:2", ("docker pull --quiet webapp_django:2",)
        ),
        preview.Announcement("lab", "make the first release"),
    )
    assert preview.text(lines, commands=False).splitlines() == [
        "ubuntu1   pull webapp_django:2",
        "lab       make the first release",
    ]
    assert preview.text(lines, commands=True).splitlines() == [
        "ubuntu1   pull webapp_django:2",
        "          $ docker pull --quiet webapp_django:2",
        "lab       make the first release",
    ]
    assert preview.text((), commands=True) == preview.NOTHING
