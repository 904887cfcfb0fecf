"""Whatever ends because it was killed for memory says so: on real nodes, by real limits."""

import uuid

import pytest

from lab.deploy.deploy import deploy
from lab.engine.ssh import wait_until
from tests.conftest import TOPOLOGY
from tests.live.support.sources import Copy

EAT = "x = bytearray(2**30)"
CHILD = f"import subprocess, time; subprocess.run(['python3', '-c', '{EAT}']); time.sleep(600)"
ONCE = f"""
import os, time
if not os.path.exists("/tmp/x"):
    open("/tmp/x", "w")
    {EAT}
time.sleep(600)
"""
AGAIN = ("--restart", "always")
LIMIT = "killed for memory: its limit is 48 MiB: raise limits."


@pytest.fixture
def contained(running, release):
    """Starts Python in a container of 48 MiB on the builder; its name."""
    node, image = running.builder, running.site(release).images["webapp_django"]
    names = []

    def run(code, *options):
        names.append(f"memory-of-a-test-{uuid.uuid4().hex[:8]}")
        node.run(
            *("docker", "run", "--detach", "--name", names[-1], "--network", "none", *options),
            *("--memory", "48m", "--memory-swap", "48m", "--no-healthcheck", image),
            *("python3", "-c", code),
        )
        return names[-1]

    yield run
    for name in names:
        node.run("docker", "rm", "--force", "--volumes", name)


@pytest.mark.beside
@pytest.mark.parametrize(
    ("code", "options", "what"),
    [
        (EAT, (), ""),
        (EAT, AGAIN, ""),
        (CHILD, (), "a process of "),
        (ONCE, AGAIN, ""),
    ],
    ids=["ended", "ends again and again", "a child", "started again by Docker"],
)
def test_a_container_that_was_killed_for_memory(running, contained, code, options, what):
    node, name = running.builder, contained(code, *options)
    wait_until(
        name,
        lambda: node.killed(name),
        lambda told: told.startswith(f"{node.name}: {what}{name} was {LIMIT}"),
        seconds=20,
        advice=lambda _: "docker inspect",
    )


@pytest.mark.beside
def test_one_that_was_not_says_nothing(running, contained):
    name = contained("import time; time.sleep(600)")
    assert running.builder.killed(name) == ""


@pytest.mark.beside
def test_what_is_run_in_a_container_and_killed_says_so(running, contained):
    name = contained("import time; time.sleep(600)")
    with pytest.raises(Exception, match=f"ended with 137.*a process of {name} was {LIMIT}"):
        running.builder.run("docker", "exec", name, "python3", "-c", EAT)


@pytest.fixture
def copy(tmp_path, running):
    """Sources whose Django has too little memory to start."""
    made = Copy.make(tmp_path / "copy")
    django = f"django: {{cpus: 1, memory: {TOPOLOGY.limits.django.memory}"
    made.edit("lab.yml", django, "django: {cpus: 1, memory: 48")
    return made


def test_initializing_with_too_little_memory_says_so(copy):
    status, run = copy.fab("init")
    assert status == 1
    assert run.lines[-1][1] == (
        f"lab: {TOPOLOGY.builder}: manage.py initialize was {LIMIT}django.memory in lab.yml"
    )


@pytest.mark.long
def test_a_deploy_with_too_little_memory_says_so_and_is_put_back(running, copy):
    # After a rollback the databases are looked at again, and that would be killed first.
    deploy(running, TOPOLOGY.web)
    status, run = copy.fab("deploy")
    assert status == 1, run.output
    assert f"{LIMIT}django.memory in lab.yml" in run.output
    assert "the web is back at " in run.output
