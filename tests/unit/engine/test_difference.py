"""Plan + observation = commands: literal tables, no-ops included."""

from dataclasses import replace

import pytest

from lab.config.topology import Limit
from lab.engine import difference
from lab.engine.difference import Observation, Running
from lab.plan.records import AddressOf, Container, File, Mount, Plan, Publication, Volume

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


def commands(plan, observation):
    """The commands in short: the whole `docker run` has a test of its own."""
    return [
        " ".join(("run", command[command.index("--name") + 1]))
        if command[:2] == ("docker", "run")
        else " ".join(command)
        for command in difference.commands(plan, observation, SERVICES)
    ]


NOTE_DJANGO = difference.notes(Plan((DJANGO,)))
NOTE_HAPROXY = difference.notes(Plan((HAPROXY,)))

TABLE = {
    "nothing there": (Plan((DJANGO,)), found(), ["run django-1"]),
    "all as wanted": (Plan((DJANGO,)), found((DJANGO, {}), files=NOTE_DJANGO), []),
    "another image": (
        Plan((DJANGO,)),
        found((DJANGO, {"digest": "old"}), files=NOTE_DJANGO),
        ["docker stop django-1", "docker rm --force django-1", "run django-1"],
    ),
    "not running": (
        Plan((DJANGO,)),
        found((DJANGO, {"state": "exited"}), files=NOTE_DJANGO),
        ["docker stop django-1", "docker rm --force django-1", "run django-1"],
    ),
    "a secret it has not read yet": (
        Plan((DJANGO,)),
        found((DJANGO, {})),
        ["docker stop django-1", "docker rm --force django-1", "run django-1"],
    ),
    "a configuration it can read again": (
        Plan((HAPROXY,)),
        found((HAPROXY, {})),
        ["docker exec haproxy reload"],
    ),
    "a configuration it has read": (Plan((HAPROXY,)), found((HAPROXY, {}), files=NOTE_HAPROXY), []),
    "no longer wanted": (
        Plan(),
        found((DJANGO, {})),
        [
            "rm --force /etc/lab/addressed/django-1 /etc/lab/read/django-1",
            "docker stop django-1",
            "docker rm --force django-1",
        ],
    ),
    "no longer wanted, and others count on it": (
        Plan(),
        found((replace(DJANGO, leave=("say", "goodbye")), {})),
        [
            "docker exec django-1 say goodbye",
            "rm --force /etc/lab/addressed/django-1 /etc/lab/read/django-1",
            "docker stop django-1",
            "docker rm --force django-1",
        ],
    ),
    "of another service": (
        Plan(),
        found((Container("mysql", "mysql", "r/mysql:1", LIMIT), {})),
        [],
    ),
    "told an address for the first time": (
        Plan((DJANGO, NGINX)),
        found((DJANGO, {"address": "10.199.0.2"}), files=NOTE_DJANGO),
        ["/etc/lab/addressed/nginx-1"],
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
        ["/etc/lab/addressed/nginx-1"],
    ),
    "networks and volumes": (
        Plan(networks=("webapp",), volumes=(Volume("static", disposable=True), Volume("data"))),
        found(),
        [
            "docker network create --label lab.service=web webapp",
            "docker volume create --label lab.disposable=yes static",
            "docker volume create data",
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
        ["docker network rm webapp", "docker volume rm static"],
    ),
    "folders of what is gone, and those in use": (
        Plan((HAPROXY,)),
        found(
            (HAPROXY, {}),
            files=NOTE_HAPROXY,
            folders=frozenset({"/etc/lab/haproxy", "/home/dock/static_files"}),
        ),
        ["rm --recursive --force /home/dock/static_files"],
    ),
}


@pytest.mark.parametrize(("plan", "observation", "expected"), TABLE.values(), ids=TABLE)
def test_commands(plan, observation, expected):
    assert commands(plan, observation) == expected


@pytest.mark.parametrize(
    ("plan", "services"),
    [(Plan((DJANGO,)), set()), (Plan((NGINX,)), {"django"}), (Plan(), {"django"})],
)
def test_what_no_plan_wants_on_a_node(plan, services):
    assert difference.unwanted(plan, found((DJANGO, {}))) == services


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, False), ({"digest": "old"}, True), ({"digest": "old", "state": "exited"}, False)],
    ids=["as wanted", "another record, serving", "another record, not serving"],
)
def test_only_what_serves_has_to_wait_for_its_turn(fields, expected):
    observation = found((DJANGO, fields), files=NOTE_DJANGO)
    assert difference.replaced(Plan((DJANGO,)), observation, SERVICES) == expected


def test_a_second_run_pulls_only_what_is_missing():
    plan = Plan((DJANGO, HAPROXY))
    assert difference.pulls(plan, Observation(images=frozenset({"r/django:1"}))) == (
        ("docker", "pull", "--quiet", "r/haproxy:1"),
    )


def test_docker_run_spells_out_everything():
    container = Container(
        "nginx-custom-bridge-1",
        "nginx",
        "ubuntu1:5000/webapp_nginx:0123456789ab",
        LIMIT,
        mode="custom-bridge",
        network="webapp",
        environment=(("UWSGI_URI", "django-custom-bridge-1:29000"),),
        publications=(Publication("192.168.56.12", 80),),
        mounts=(Mount("static", "/shared"), Mount("data", "/data", writable=True)),
        capabilities=("NET_RAW",),
        user="root",
        command=("nginx", "-g", "daemon off;"),
        stop_seconds=40,
        stop_signal="SIGQUIT",
    )
    assert difference.run(container) == (
        *("docker", "run", "--detach", "--restart", "always"),
        *("--name", "nginx-custom-bridge-1", "--network", "webapp"),
        *("--label", "lab.service=nginx", "--label", "lab.mode=custom-bridge"),
        *("--label", f"lab.digest={container.digest}", "--label", "lab.write=20971520"),
        *("--cpus", "1.5", "--memory", "64m", "--memory-swap", "64m", "--pids-limit", "32"),
        *("--read-only", "--security-opt", "no-new-privileges", "--cap-drop", "ALL"),
        *("--cap-add", "NET_RAW", "--tmpfs", "/tmp", "--tmpfs", "/run", "--user", "root"),
        *("--publish", "192.168.56.12:80:80"),
        *("--volume", "static:/shared:ro", "--volume", "data:/data"),
        *("--env", "UWSGI_URI=django-custom-bridge-1:29000"),
        *("--stop-timeout", "40", "--stop-signal", "SIGQUIT"),
        *("ubuntu1:5000/webapp_nginx:0123456789ab", "nginx", "-g", "daemon off;"),
    )


def test_a_one_off_container_is_not_kept():
    command = difference.one_off(replace(DJANGO, service=""), "/run/noted")
    assert command[:4] == ("docker", "run", "--cidfile", "/run/noted")
    assert command[4:7] == ("--quiet", "--network", "bridge")
    assert not {"--detach", "--restart", "--name"} & set(command)
    assert not [part for part in command if part.startswith("lab.service")]


def test_a_scratch_server_is_nobodys_and_goes_with_its_data():
    command = difference.scratch(replace(DJANGO, service=""))
    assert command[:5] == ("docker", "run", "--detach", "--hostname", "localhost")
    assert command[5:9] == ("--no-healthcheck", "--label", "lab.scratch=yes", "--name")
    assert "--restart" not in command
    assert not [part for part in command if part.startswith("lab.service")]


def test_the_script_of_an_addressed_container_resolves_the_address_when_it_runs():
    script = difference.addressed_script(NGINX)
    assert script.path == "/etc/lab/addressed/nginx-1"
    assert script.mode == 0o755
    assert 'UWSGI_URI="$address":29000' in script.content
    assert 'lab.address="$address"' in script.content


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
    assert difference.forgettable(
        observation, frozenset({"webapp_django", "webapp_nginx"}), kept
    ) == (
        "ubuntu1:5000/webapp_django:old",
        "ubuntu1:5000/webapp_nginx:old",
    )
