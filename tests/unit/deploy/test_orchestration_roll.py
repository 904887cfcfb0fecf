"""The roll of a release over the nodes: what is done in which order, and nothing else."""

import pytest

from lab.deploy import deploy
from lab.deploy.history import history
from tests.unit.fake_lab import World
from tests.unit.told import before, told

# In no order among each other: nodes work at the same time.
AHEAD = """\
lab: rsync sources
ubuntu1: build webapp_django:2
ubuntu1: push webapp_django:2
ubuntu1: build webapp_nginx:2
ubuntu1: push webapp_nginx:2
ubuntu1: build webapp_static:2
ubuntu1: push webapp_static:2
ubuntu1: write /var/lib/lab/releases/RELEASE.json
ubuntu1: write 7 files to /run/lab/once-initialize
ubuntu1: manage.py initialize
ubuntu1: write /var/lib/lab/posts_owned
ubuntu1: write /var/lib/lab/initialized
ubuntu1: pull webapp_django:2
ubuntu1: pull webapp_static:2
ubuntu1: pull webapp_nginx:2
ubuntu1: create volume webapp_static
ubuntu1: publish static set 2
ubuntu2: pull webapp_django:2
ubuntu2: pull webapp_static:2
ubuntu2: pull webapp_nginx:2
ubuntu2: create volume webapp_static
ubuntu2: publish static set 2
ubuntu3: pull webapp_django:2
ubuntu3: pull webapp_static:2
ubuntu3: create volume webapp_static
ubuntu3: publish static set 2
ubuntu4: pull webapp_nginx:2
ubuntu4: rsync add
"""

ROLL = """\
balancers: drain ubuntu1
balancers: answered ubuntu1
ubuntu1: write /etc/lab/release/release /etc/lab/release/static_set
ubuntu1: stop django-default-bridge-1
ubuntu1: rm django-default-bridge-1
ubuntu1: run django-default-bridge-1 webapp_django:2
ubuntu1: healthy django-default-bridge-1
ubuntu1: write /etc/lab/addressed/nginx-default-bridge-1
ubuntu1: stop nginx-default-bridge-1
ubuntu1: rm nginx-default-bridge-1
ubuntu1: run nginx-default-bridge-1 by its script
ubuntu1: healthy nginx-default-bridge-1
ubuntu1: a user signs in
balancers: seen well ubuntu1
balancers: ready ubuntu1
balancers: drain ubuntu2
balancers: answered ubuntu2
ubuntu2: write /etc/lab/release/release /etc/lab/release/static_set
ubuntu2: stop django-custom-bridge-1
ubuntu2: rm django-custom-bridge-1
ubuntu2: run django-custom-bridge-1 webapp_django:2
ubuntu2: stop nginx-custom-bridge-1
ubuntu2: rm nginx-custom-bridge-1
ubuntu2: run nginx-custom-bridge-1 webapp_nginx:2
ubuntu2: healthy django-custom-bridge-1
ubuntu2: healthy nginx-custom-bridge-1
ubuntu2: a user signs in
balancers: seen well ubuntu2
balancers: ready ubuntu2
balancers: drain ubuntu4
balancers: answered ubuntu4
ubuntu3: write /etc/lab/release/release /etc/lab/release/static_set
ubuntu3: stop django-separate-hosts-1
ubuntu3: rm django-separate-hosts-1
ubuntu3: run django-separate-hosts-1 webapp_django:2
ubuntu3: healthy django-separate-hosts-1
ubuntu4: stop nginx-separate-hosts-1
ubuntu4: rm nginx-separate-hosts-1
ubuntu4: run nginx-separate-hosts-1 webapp_nginx:2
ubuntu4: healthy nginx-separate-hosts-1
ubuntu4: a user signs in
balancers: seen well ubuntu4
balancers: ready ubuntu4
ubuntu4: rsync prune
ubuntu1: write /var/lib/lab/releases/RELEASE.json /var/lib/lab/releases/current
ubuntu1: append to /var/lib/lab/releases/journal
"""


@pytest.fixture(scope="module")
def rolled(tmp_path_factory):
    """The lines of a release in which Django, nginx and the static set are others."""
    with pytest.MonkeyPatch.context() as patched:
        world = World(patched, tmp_path_factory.mktemp("reports"))
        world.settle()
        world.sources(webapp_django="2", webapp_nginx="2", webapp_static="2")
        deploy.deploy(world.lab, world.topology.web)
        return told(world.journal)


def test_images_static_files_and_databases_come_before_the_first_service_changes(rolled):
    ahead = rolled[: rolled.index("balancers: drain ubuntu1")]
    assert sorted(ahead) == sorted(AHEAD.splitlines())


def test_a_service_is_drained_replaced_tried_and_given_back_before_the_next_one(rolled):
    assert rolled[rolled.index("balancers: drain ubuntu1") :] == ROLL.splitlines()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lab: rsync sources", "ubuntu1: build webapp_django:2"),
        ("ubuntu1: push webapp_django:2", "ubuntu2: pull webapp_django:2"),
        # The history knows of a release before anything of it is tried.
        ("ubuntu1: write /var/lib/lab/releases/RELEASE.json", "ubuntu1: manage.py initialize"),
        ("ubuntu3: publish static set 2", "ubuntu4: rsync add"),
    ],
)
def test_what_is_done_ahead_has_its_order_too(rolled, first, second):
    assert before(rolled, first, second)


# The record is written again as it is, and rsync finds nothing to do.
UNCHANGED = """\
ubuntu1: write /var/lib/lab/releases/RELEASE.json
ubuntu1: write /var/lib/lab/releases/RELEASE.json /var/lib/lab/releases/current
ubuntu4: rsync add
ubuntu4: rsync prune
"""


def test_a_release_that_is_live_changes_nothing(world):
    world.settle()
    deploy.deploy(world.lab, world.topology.web)
    assert sorted(told(world.journal)) == UNCHANGED.splitlines()


STATIC_AHEAD = """\
lab: rsync sources
ubuntu1: build webapp_static:2
ubuntu1: create volume webapp_static
ubuntu1: publish static set 2
ubuntu1: pull webapp_static:2
ubuntu1: push webapp_static:2
ubuntu1: write /var/lib/lab/releases/RELEASE.json
ubuntu2: create volume webapp_static
ubuntu2: publish static set 2
ubuntu2: pull webapp_static:2
ubuntu3: create volume webapp_static
ubuntu3: publish static set 2
ubuntu3: pull webapp_static:2
ubuntu4: rsync add
"""
STATIC_TOLD = """\
ubuntu1: a user signs in
ubuntu1: append to /var/lib/lab/releases/journal
ubuntu1: write /etc/lab/release/release /etc/lab/release/static_set
ubuntu1: write /var/lib/lab/releases/RELEASE.json /var/lib/lab/releases/current
ubuntu2: a user signs in
ubuntu2: write /etc/lab/release/release /etc/lab/release/static_set
ubuntu3: write /etc/lab/release/release /etc/lab/release/static_set
ubuntu4: a user signs in
ubuntu4: rsync prune
"""


def test_a_static_set_is_everywhere_before_pages_name_it_and_nobody_is_drained(world):
    world.settle()
    world.sources(webapp_static="2")
    deploy.deploy(world.lab, world.topology.web)
    lines = told(world.journal)
    # The first page that names the new files is a node's from here on.
    first = next(i for i, line in enumerate(lines) if "/etc/lab/release/static_set" in line)
    assert sorted(lines[:first]) == STATIC_AHEAD.splitlines()
    assert sorted(lines[first:]) == STATIC_TOLD.splitlines()


def test_services_are_drained_where_pages_may_name_a_file_that_the_set_has_not(world):
    world.settle()
    world.sources(webapp_static="2")
    world.lacking = ("posts/gone.css",)
    deploy.deploy(world.lab, world.topology.web)
    drains = [line for line in told(world.journal) if "drain" in line or "ready" in line]
    assert drains == [
        "balancers: drain ubuntu1",
        "balancers: ready ubuntu1",
        "balancers: drain ubuntu2",
        "balancers: ready ubuntu2",
        "balancers: drain ubuntu4",
        "balancers: ready ubuntu4",
    ]


def test_a_rollback_tells_the_databases_before_the_first_older_django_starts(world):
    world.settle()
    world.sources(webapp_django="2")
    deploy.deploy(world.lab, world.topology.web)
    world.journal.clear()
    deploy.rollback(world.lab, "")
    lines = told(world.journal)
    assert before(lines, "ubuntu1: manage.py expect_older_release", "balancers: drain ubuntu1")
    assert [line for line in lines if " run " in line or "ready" in line] == [
        "ubuntu1: run django-default-bridge-1 webapp_django:1",
        "ubuntu1: run nginx-default-bridge-1 by its script",
        "balancers: ready ubuntu1",
        "ubuntu2: run django-custom-bridge-1 webapp_django:1",
        "balancers: ready ubuntu2",
        "ubuntu3: run django-separate-hosts-1 webapp_django:1",
        "balancers: ready ubuntu4",
    ]


def test_a_release_for_one_node_leaves_the_others_as_they_are(world):
    release = world.settle()
    world.sources(webapp_django="2")
    deploy.deploy(world.lab, world.topology.web_services_of("ubuntu2"))
    assert [line for line in told(world.journal) if " stop " in line or " run " in line] == [
        "ubuntu2: stop django-custom-bridge-1",
        "ubuntu2: run django-custom-bridge-1 webapp_django:2",
    ]
    assert world.lab.require_release() == release
    assert history(world.lab).splitlines()[1].endswith(" one node: ubuntu2")
