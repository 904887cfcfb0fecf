"""Plan + observation = steps, each with its reason: literal tables, no-ops included."""

from dataclasses import replace

import pytest

from lab.config.topology import Limit
from lab.engine.difference import difference, forgettable, interrupts, notes, pulls, unwanted
from lab.engine.observation import Observation, Running
from lab.engine.steps import (
    CreateNetwork,
    CreateVolume,
    Pull,
    Readdress,
    Reload,
    Remove,
    RemoveFolder,
    RemoveNetwork,
    RemoveVolume,
    Replace,
    Start,
)
from lab.plan.records import AddressOf, Container, File, Plan, Volume

LIMIT = Limit(cpus=1.5, memory=64, pids=32, write=20)
SERVICES = frozenset({"django", "nginx", "haproxy"})
SECRET = File("/etc/lab/secrets/django/key", "hidden", 0o600, 10001, secret=True)
CONFIG = File("/etc/lab/haproxy/web.cfg", "frontend")

DJANGO = Container("django-1", "django", "r/django:1", LIMIT, mode="m", reads=(SECRET,))
NGINX = Container(
    "nginx-1",
    "nginx",
    "r/nginx:1",
    LIMIT,
    environment=(("UWSGI_URI", AddressOf("django-1", 29000)),),
)
HAPROXY = Container("haproxy", "haproxy", "r/haproxy:1", LIMIT, reads=(CONFIG,), reload=("reload",))


def found(*pairs, files=(), **more):
    containers = {
        container.name: Running(
            container.name,
            container.service,
            container.mode,
            container.image,
            fields.get("state", "running"),
            "healthy",
            fields.get("digest", container.digest),
            fields.get("address", ""),
            fields.get("told", ""),
            container.leave,
        )
        for container, fields in pairs
    }
    return Observation(containers, files={f.path: f.digest for f in files}, **more)


NOTE_DJANGO = notes(Plan((DJANGO,)))
NOTE_HAPROXY = notes(Plan((HAPROXY,)))

TABLE = {
    "nothing there": (Plan((DJANGO,)), found(), [Start(DJANGO, "it is absent")]),
    "all as wanted": (Plan((DJANGO,)), found((DJANGO, {}), files=NOTE_DJANGO), []),
    "other settings": (
        Plan((DJANGO,)),
        found((DJANGO, {"digest": "old"}), files=NOTE_DJANGO),
        [Replace(DJANGO, "it was started with other settings")],
    ),
    "another image, by its name": (
        Plan((replace(DJANGO, image="r/django:2"),)),
        found((DJANGO, {}), files=NOTE_DJANGO),
        [Replace(replace(DJANGO, image="r/django:2"), "django:2 instead of django:1")],
    ),
    "not running": (
        Plan((DJANGO,)),
        found((DJANGO, {"state": "exited"}), files=NOTE_DJANGO),
        [Replace(DJANGO, "it is exited, healthy")],
    ),
    "a secret it has not read yet": (
        Plan((DJANGO,)),
        found((DJANGO, {})),
        [Replace(DJANGO, "what it reads has changed")],
    ),
    "a configuration it can read again": (
        Plan((HAPROXY,)),
        found((HAPROXY, {})),
        [Reload(HAPROXY, "what it reads has changed")],
    ),
    "a configuration it has read": (Plan((HAPROXY,)), found((HAPROXY, {}), files=NOTE_HAPROXY), []),
    "no longer wanted": (
        Plan(),
        found((DJANGO, {})),
        [Remove("django-1", (), "it is not wanted here")],
    ),
    "no longer wanted, and others count on it": (
        Plan(),
        found((replace(DJANGO, leave=("say", "goodbye")), {})),
        [Remove("django-1", ("say", "goodbye"), "it is not wanted here")],
    ),
    "of another service": (
        Plan(),
        found((Container("mysql", "mysql", "r/mysql:1", LIMIT), {})),
        [],
    ),
    "told an address for the first time": (
        Plan((DJANGO, NGINX)),
        found((DJANGO, {"address": "10.199.0.2"}), files=NOTE_DJANGO),
        [Start(NGINX, "it is absent")],
    ),
    "told the address of today": (
        Plan((DJANGO, NGINX)),
        found(
            (DJANGO, {"address": "10.199.0.2"}), (NGINX, {"told": "10.199.0.2"}), files=NOTE_DJANGO
        ),
        [],
    ),
    "told the address of yesterday": (
        Plan((DJANGO, NGINX)),
        found(
            (DJANGO, {"address": "10.199.0.3"}), (NGINX, {"told": "10.199.0.2"}), files=NOTE_DJANGO
        ),
        [Readdress(NGINX, "django-1 has another address")],
    ),
    "told the address of one that is replaced": (
        Plan((replace(DJANGO, image="r/django:2"), NGINX)),
        found(
            (DJANGO, {"address": "10.199.0.2"}), (NGINX, {"told": "10.199.0.2"}), files=NOTE_DJANGO
        ),
        [
            Replace(replace(DJANGO, image="r/django:2"), "django:2 instead of django:1"),
            Readdress(NGINX, "django-1 may get another address"),
        ],
    ),
    "networks and volumes": (
        Plan(networks=("webapp",), volumes=(Volume("static", disposable=True), Volume("data"))),
        found(),
        [
            CreateNetwork("webapp"),
            CreateVolume(Volume("static", disposable=True)),
            CreateVolume(Volume("data")),
        ],
    ),
    "a network that a container of another step still uses": (
        Plan(),
        found(
            (Container("nginx-old", "registry", "r/nginx:1", LIMIT), {}),
            networks=frozenset({"webapp"}),
        ),
        [],
    ),
    "networks and copies that nobody wants any more, and data that stays": (
        Plan(),
        found(
            networks=frozenset({"webapp"}),
            volumes=frozenset({"static", "data"}),
            disposable_volumes=frozenset({"static"}),
        ),
        [RemoveNetwork("webapp"), RemoveVolume("static")],
    ),
    "folders of what is gone, and those in use": (
        Plan((HAPROXY,)),
        found(
            (HAPROXY, {}),
            files=NOTE_HAPROXY,
            folders=frozenset({"/etc/lab/haproxy", "/home/dock/static_files"}),
        ),
        [RemoveFolder("/home/dock/static_files")],
    ),
}


@pytest.mark.parametrize(("plan", "observation", "expected"), TABLE.values(), ids=TABLE)
def test_steps(plan, observation, expected):
    assert [*difference(plan, observation, SERVICES).steps] == expected


@pytest.mark.parametrize(
    ("plan", "services"),
    [(Plan((DJANGO,)), set()), (Plan((NGINX,)), {"django"}), (Plan(), {"django"})],
)
def test_what_no_plan_wants_on_a_node(plan, services):
    assert unwanted(plan, found((DJANGO, {}))) == services


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, False), ({"digest": "old"}, True), ({"digest": "old", "state": "exited"}, False)],
    ids=["as wanted", "another record, serving", "another record, not serving"],
)
def test_only_what_serves_has_to_wait_for_its_turn(fields, expected):
    observation = found((DJANGO, fields), files=NOTE_DJANGO)
    assert interrupts(Plan((DJANGO,)), observation, SERVICES) == expected


def test_a_second_run_pulls_only_what_is_missing():
    plan = Plan((DJANGO, HAPROXY))
    assert pulls(plan, Observation(images=frozenset({"r/django:1"}))) == (Pull("r/haproxy:1"),)


def test_old_images_of_some_names_are_forgotten_unless_kept_or_in_use():
    images = frozenset(
        {
            "ubuntu1:5000/webapp_django:old",
            "ubuntu1:5000/webapp_django:kept",
            "ubuntu1:5000/webapp_nginx:used",
            "ubuntu1:5000/webapp_nginx:old",
            "ubuntu1:5000/mysql:old",
        }
    )
    used = replace(NGINX, image="ubuntu1:5000/webapp_nginx:used")
    observation = found((used, {}), images=images)
    kept = frozenset({"ubuntu1:5000/webapp_django:kept"})
    names = frozenset({"webapp_django", "webapp_nginx"})
    assert forgettable(observation, names, kept) == (
        "ubuntu1:5000/webapp_django:old",
        "ubuntu1:5000/webapp_nginx:old",
    )
