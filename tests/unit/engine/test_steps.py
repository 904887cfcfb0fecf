"""What each step says, and the commands that it is on its node: literal tables."""

from dataclasses import replace

import pytest

from lab.config.topology import Limit
from lab.engine import steps
from lab.plan.records import AddressOf, Container, Mount, Publication, Volume

LIMIT = Limit(cpus=1.5, memory=64, pids=32, write=20)
DJANGO = Container("django-1", "django", "r/django:1", LIMIT, mode="m")
NGINX = Container(
    "nginx-1",
    "nginx",
    "r/nginx:1",
    LIMIT,
    environment=(("UWSGI_URI", AddressOf("django-1", 29000)),),
)
HAPROXY = Container("haproxy", "haproxy", "r/haproxy:1", LIMIT, reload=("reload",))

TABLE = [
    (
        steps.Pull("ubuntu1:5000/webapp_django:0123"),
        "pull webapp_django:0123",
        ["docker pull --quiet ubuntu1:5000/webapp_django:0123"],
    ),
    (
        steps.CreateNetwork("webapp"),
        "create network webapp",
        ["docker network create --label lab.service=web webapp"],
    ),
    (
        steps.CreateVolume(Volume("static", disposable=True)),
        "create volume static",
        ["docker volume create --label lab.disposable=yes static"],
    ),
    (
        steps.CreateVolume(Volume("data")),
        "create volume data",
        ["docker volume create data"],
    ),
    (
        steps.Start(DJANGO, "it is absent"),
        "start django-1: it is absent",
        ["docker run django-1"],
    ),
    (
        steps.Readdress(NGINX, "django-1 has another address"),
        "readdress nginx-1: django-1 has another address",
        ["/etc/lab/addressed/nginx-1"],
    ),
    (
        steps.Replace(DJANGO, "it is exited"),
        "replace django-1: it is exited",
        ["docker stop django-1", "docker rm --force django-1", "docker run django-1"],
    ),
    (
        steps.Replace(NGINX, "it is exited"),
        "replace nginx-1: it is exited",
        ["docker stop nginx-1", "docker rm --force nginx-1", "/etc/lab/addressed/nginx-1"],
    ),
    (
        steps.Reload(HAPROXY, "what it reads has changed"),
        "reload haproxy: what it reads has changed",
        ["docker exec haproxy reload"],
    ),
    (
        steps.Remove("django-1", (), "it is not wanted here"),
        "remove django-1: it is not wanted here",
        [
            "rm --force /etc/lab/addressed/django-1 /etc/lab/read/django-1",
            "docker stop django-1",
            "docker rm --force django-1",
        ],
    ),
    (
        steps.Remove("django-1", ("say", "goodbye"), "it is not wanted here"),
        "remove django-1: it is not wanted here",
        [
            "docker exec django-1 say goodbye",
            "rm --force /etc/lab/addressed/django-1 /etc/lab/read/django-1",
            "docker stop django-1",
            "docker rm --force django-1",
        ],
    ),
    (
        steps.RemoveNetwork("webapp"),
        "remove network webapp: no container is wanted in it",
        ["docker network rm webapp"],
    ),
    (
        steps.RemoveVolume("static"),
        "remove volume static: no container needs its copies",
        ["docker volume rm static"],
    ),
    (
        steps.RemoveFolder("/home/dock/static_files"),
        "remove /home/dock/static_files: no container needs it",
        ["rm --recursive --force /home/dock/static_files"],
    ),
]


def short(command):
    """`docker run` by its container's name: the whole of it has a test of its own."""
    run = command[:2] == ("docker", "run")
    return " ".join((*command[:2], command[command.index("--name") + 1]) if run else command)


@pytest.mark.parametrize(("step", "words", "commands"), TABLE, ids=[row[1] for row in TABLE])
def test_a_step(step, words, commands):
    assert step.words == words
    assert [short(command) for command in step.commands] == commands


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
    assert steps.run(container) == (
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
    command = steps.one_off(replace(DJANGO, service=""), "/run/noted")
    assert command[:4] == ("docker", "run", "--cidfile", "/run/noted")
    assert command[4:7] == ("--quiet", "--network", "bridge")
    assert not {"--detach", "--restart", "--name"} & set(command)
    assert not [part for part in command if part.startswith("lab.service")]


def test_a_scratch_server_is_nobodys_and_goes_with_its_data():
    command = steps.scratch(replace(DJANGO, service=""))
    assert command[:5] == ("docker", "run", "--detach", "--hostname", "localhost")
    assert command[5:9] == ("--no-healthcheck", "--label", "lab.scratch=yes", "--name")
    assert "--restart" not in command
    assert not [part for part in command if part.startswith("lab.service")]


def test_the_script_of_an_addressed_container_resolves_the_address_when_it_runs():
    script = steps.addressed_script(NGINX)
    assert script.path == "/etc/lab/addressed/nginx-1"
    assert script.mode == 0o755
    assert 'UWSGI_URI="$address":29000' in script.content
    assert 'lab.address="$address"' in script.content
