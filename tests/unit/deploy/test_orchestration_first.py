"""A first deploy, after `vagrant up` alone: the whole lab, or node by node."""

from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace

import pytest

from lab.context import NO_RELEASE
from lab.deploy import deploy, preview, publishing
from lab.deploy.history import history
from lab.doctor import verify
from lab.doctor.status import Status
from lab.errors import LabError
from tests.unit.told import before, told


def deployed(world, *nodes):
    """The release after `fab -H NODE deploy` of each of these nodes."""
    for node in nodes:
        release = deploy.deploy(world.lab, world.topology.web_services_of(node))
    return release


def standing(world):
    """Node to its containers, those of the web with their images' tags."""
    return {
        name: [
            f"{one.name}:{one.image[-1]}" if "webapp" in one.image else one.name
            for one in sorted(machine.containers.values(), key=lambda one: one.name)
        ]
        for name, machine in world.machines.items()
    }


WHOLE = {
    "ubuntu1": [
        "cassandra",
        "django-default-bridge-1:1",
        "mysql",
        "nginx-default-bridge-1:1",
        "registry",
    ],
    "ubuntu2": ["cassandra", "django-custom-bridge-1:1", "mysql", "nginx-custom-bridge-1:1"],
    "ubuntu3": ["cassandra", "django-separate-hosts-1:1", "haproxy", "keepalived", "mysql"],
    "ubuntu4": ["cassandra", "haproxy", "keepalived", "nginx-separate-hosts-1:1"],
}
# What no web service works without is everywhere; of the web, the one node that was named.
FIRST_NODE = WHOLE | {
    "ubuntu2": ["cassandra", "mysql"],
    "ubuntu3": ["cassandra", "haproxy", "keepalived", "mysql"],
    "ubuntu4": ["cassandra", "haproxy", "keepalived"],
}
STARTED = (
    "no release is on all web nodes yet:"
    " registry, databases and balancers are built and started first, where they are not there"
)


def test_a_first_deploy_says_what_else_it_starts_and_starts_it(world, capsys):
    release = deploy.deploy(world.lab, world.topology.web)
    assert STARTED in capsys.readouterr().err
    assert standing(world) == WHOLE
    assert world.lab.current_release() == release
    world.journal.clear()
    assert deploy.deploy(world.lab, world.topology.web) == release
    assert [line for line in told(world.journal) if " run " in line or " stop " in line] == []


def test_a_first_deploy_of_one_node_starts_what_it_needs_and_names_who_is_left(world, capsys):
    release = deployed(world, "ubuntu1")
    said = capsys.readouterr().err
    assert STARTED in said
    left = (
        "is not on ubuntu2, ubuntu3, ubuntu4 yet: `fab -H ubuntu2 deploy`, or `fab deploy` for all"
    )
    assert f"{release.name} {left}" in said
    assert standing(world) == FIRST_NODE
    lines = told(world.journal)
    assert before(lines, "ubuntu1: healthy registry", "ubuntu2: run mysql mysql:1")
    assert before(lines, "ubuntu4: healthy cassandra", "ubuntu1: manage.py initialize")
    assert world.lab.current_release() is None
    assert history(world.lab).splitlines()[1].endswith(" one node: ubuntu1")


@pytest.fixture
def minutes(monkeypatch):
    """Each look at the clock is a minute later: a release that is made anew has another name."""
    times = (datetime(2026, 11, 24, 9, minute, tzinfo=UTC) for minute in count())
    monkeypatch.setattr(publishing, "datetime", SimpleNamespace(now=lambda _: next(times)))


@pytest.mark.usefixtures("minutes")
def test_once_every_node_was_deployed_the_one_release_is_live(world, capsys):
    release = deployed(world, "ubuntu1", "ubuntu2", "ubuntu3")
    assert world.lab.current_release() == release
    said = capsys.readouterr().err
    assert "is not on ubuntu3, ubuntu4 yet: `fab -H ubuntu3 deploy`" in said
    assert deployed(world, "ubuntu4") == release
    assert standing(world) == WHOLE
    assert [line.split()[-1] for line in history(world.lab).splitlines()] == ["state", "live"]
    world.journal.clear()
    assert deploy.deploy(world.lab, world.topology.web) == release
    assert [line for line in told(world.journal) if " run " in line or " stop " in line] == []


def test_the_second_node_leaves_the_first_one_alone(world):
    deployed(world, "ubuntu1")
    world.journal.clear()
    deployed(world, "ubuntu2")
    lines = told(world.journal)
    assert [line for line in lines if " run " in line or " stop " in line or "drain" in line] == [
        "ubuntu2: run django-custom-bridge-1 webapp_django:1",
        "ubuntu2: run nginx-custom-bridge-1 webapp_nginx:1",
    ]


def test_a_node_of_other_sources_is_named_until_it_follows(world, capsys):
    deployed(world, "ubuntu1")
    world.sources(webapp_django="2", webapp_static="2")
    capsys.readouterr()
    release = deployed(world, "ubuntu2", "ubuntu3")
    said = capsys.readouterr().err
    assert f"{release.name} is not on ubuntu1 yet: `fab -H ubuntu1 deploy`" in said
    assert world.lab.current_release() is None
    # Its pages may name files of the other nodes' set, and theirs files of its own.
    assert world.machine("ubuntu1").static_sets >= {"1", "2"}
    assert world.machine("ubuntu2").static_sets >= {"1", "2"}
    world.journal.clear()
    assert deployed(world, "ubuntu1") == release
    assert world.lab.current_release() == release
    assert [line for line in told(world.journal) if "balancers: drain" in line] == [
        "balancers: drain ubuntu1"
    ]


def test_a_first_deploy_that_fails_goes_on_from_there(world):
    deployed(world, "ubuntu1")
    world.never_healthy.add(("ubuntu2", "webapp_django:1"))
    with pytest.raises(LabError, match="^ubuntu2: healthy containers: not within 240 s"):
        deployed(world, "ubuntu2")
    world.never_healthy.clear()
    world.machine("ubuntu2").containers["django-custom-bridge-1"].looks = 2
    release = deployed(world, "ubuntu2", "ubuntu3")
    assert world.lab.current_release() == release
    assert standing(world) == WHOLE


def test_where_there_is_no_release_before_none_is_put_back(world):
    deployed(world, "ubuntu1")
    world.sources(webapp_django="2")
    world.never_healthy.add(("ubuntu1", "webapp_django:2"))
    with pytest.raises(LabError) as failed:
        deployed(world, "ubuntu1")
    assert str(failed.value).startswith("ubuntu1: healthy containers: not within 60 s")
    assert "put back" not in str(failed.value)


def test_a_node_that_was_left_by_another_name_of_the_release_is_told_the_one_name(world):
    """A deploy in between failed, and the release got another name then."""
    deployed(world, "ubuntu1", "ubuntu2")
    world.machine("ubuntu1").files["/etc/lab/release/release"] = "20200101-0000-abcdef\n"
    release = deployed(world, "ubuntu3")
    assert world.machine("ubuntu1").files["/etc/lab/release/release"] == f"{release.name}\n"


@pytest.mark.parametrize("overlay", [False, True])
def test_another_mode_has_to_wait_for_a_first_release(world, overlay):
    lab = world.lab
    wanted = (
        lab.topology.with_overlay() if overlay else lab.topology.with_mode("ubuntu2", "all-in-one")
    )
    world.topology = wanted
    for act in (deploy.deploy, whole_preview):
        with pytest.raises(LabError) as refused:
            act(world.lab, wanted.web_services_of("ubuntu2"), other_mode=True)
        assert str(refused.value) == (
            "--mode: no release is on all web nodes yet: run `fab deploy`"
        )
    assert told(world.journal) == []


def whole_preview(lab, services, *, other_mode):
    preview.preview(lab, services, whole=False, other_mode=other_mode)


@pytest.mark.usefixtures("minutes")
def test_in_a_lab_that_serves_the_last_of_all_nodes_makes_the_release_live(world, capsys):
    old = world.settle()
    world.sources(webapp_django="2")
    release = deployed(world, "ubuntu1", "ubuntu2")
    assert world.lab.require_release() == old
    assert f"{release.name} is not on ubuntu3, ubuntu4 yet" in capsys.readouterr().err
    assert deployed(world, "ubuntu4") == release
    assert world.lab.require_release() == release
    states = [line.split(maxsplit=4)[4] for line in history(world.lab).splitlines()[1:]]
    assert states[0] == "live"
    assert states[1].startswith("was live from ")


def test_a_node_s_other_mode_never_becomes_the_lab_s_release(world):
    old = world.settle()
    world.topology = world.topology.with_mode("ubuntu2", "all-in-one")
    for _ in range(2):
        deploy.deploy(world.lab, world.topology.web_services_of("ubuntu2"), other_mode=True)
        assert world.lab.require_release() == old


PLANNED = """\
lab: make the first release, and start all that it needs
lab: build and push what the registry lacks once it can be asked
lab: initialize the databases: no release like this one did so yet
ubuntu1: start registry: it is absent
ubuntu1: start mysql: it is absent
ubuntu1: start cassandra: it is absent
ubuntu2: start mysql: it is absent
ubuntu2: start cassandra: it is absent
ubuntu2: start django-custom-bridge-1: it is absent
ubuntu2: start nginx-custom-bridge-1: it is absent
ubuntu3: start mysql: it is absent
ubuntu3: start cassandra: it is absent
ubuntu3: start haproxy: it is absent
ubuntu3: start keepalived: it is absent
ubuntu4: start cassandra: it is absent
ubuntu4: start haproxy: it is absent
ubuntu4: start keepalived: it is absent
"""


def test_the_plan_of_a_first_deploy_of_one_node(world):
    found = preview.preview(world.lab, world.topology.web_services_of("ubuntu2"), whole=False)
    assert told(world.journal) == []
    lines = [f"{line.where}: {line.what}" for line in found]
    assert [one for one in lines if " start " in one or one.startswith("lab")] == (
        PLANNED.splitlines()
    )


def test_nothing_is_verified_before_there_is_a_release(world, monkeypatch):
    found = Status(world.topology, None, {}, {})
    monkeypatch.setattr(verify, "status", lambda _: found)
    with pytest.raises(LabError) as refused:
        verify.verify(world.lab)
    assert str(refused.value) == f"verify: {NO_RELEASE}"
