"""What is told of containers, commands and builds that were killed for want of memory."""

import subprocess

import pytest

from lab.databases import once
from lab.engine import memory, steps

# As memory.LOOK printed it on real nodes.
LOOKED = """\
id 67f1
service {service}
limit 50331648
state {state}
status {status}
ended {ended}
started 2026-11-30T10:40:45.797634519Z
kills {kills}
{more}"""
KILLED = "was killed for memory: its limit is 48 MiB: raise limits.django.memory in lab.yml"


@pytest.mark.parametrize(
    ("found", "more", "told"),
    [
        (("exited", 137, "true", 0), "killed yes\n", f"ubuntu1: django-1 {KILLED}"),
        (("exited", 137, "true", 0), "", f"ubuntu1: django-1 {KILLED}"),
        # A child of its first process was, and that ended with a status of its own.
        (("exited", 1, "true", 0), "killed yes\n", f"ubuntu1: django-1 {KILLED}"),
        (("restarting", 137, "true", 0), "killed yes\nkilled yes\n", f"ubuntu1: django-1 {KILLED}"),
        # Started again by Docker, before and after which flags differ between its versions.
        (("running", 0, "false", 0), "killed yes\n", f"ubuntu1: django-1 {KILLED}"),
        (("running", 0, "true", 0), "", ""),
        # uWSGI's worker: the first process lives.
        (("running", 0, "false", 3), "", f"ubuntu1: a process of django-1 {KILLED}"),
        (("running", 0, "false", 0), "", ""),
        (("exited", 0, "false", 0), "", ""),
        (("exited", 1, "false", 0), "", ""),
        (
            *(("exited", 137, "false", 0), ""),
            "ubuntu1: django-1 was killed by a signal: unless somebody sent it, it was killed for"
            " memory: its limit is 48 MiB: raise limits.django.memory in lab.yml",
        ),
    ],
)
def test_a_container_that_was_killed_for_memory(found, more, told):
    state, status, ended, kills = found
    looked = LOOKED.format(
        service="django", state=state, status=status, ended=ended, kills=kills, more=more
    )
    assert memory.told("ubuntu1", "django-1", looked) == told


def test_nothing_is_told_of_a_container_that_is_gone():
    assert memory.told("ubuntu1", "django-1", "") == ""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "java.lang.OutOfMemoryError: Java heap space",
            "ubuntu2: cassandra: Java ran out of its own memory (Java heap space), with 48 MiB for"
            " the container: raise CASSANDRA_HEAP in images/cassandra/bin/entrypoint.sh, and"
            " limits.cassandra.memory in lab.yml as much",
        ),
        (
            "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or"
            " process/resource limits reached",
            "ubuntu2: cassandra: Java got no more threads (unable to create native thread: possibly"
            " out of memory or process/resource limits reached): raise limits.cassandra.pids in"
            " lab.yml",
        ),
    ],
)
def test_java_s_own_limits(error, told):
    settings = {"state": "restarting", "status": 3, "ended": "false", "kills": 0}
    looked = LOOKED.format(service="cassandra", more=f"{error}\n", **settings)
    assert memory.told("ubuntu2", "cassandra", looked) == told


def test_a_scratch_server_has_the_limit_of_its_program():
    looked = LOOKED.format(
        service="", state="exited", status=137, ended="true", kills=0, more="killed yes\n"
    )
    assert memory.told("ubuntu1", "scratch-mysql", looked) == (
        "ubuntu1: scratch-mysql was killed for memory: its limit is 48 MiB: raise"
        " limits.mysql.memory in lab.yml"
    )


@pytest.mark.parametrize(
    ("report", "step"),
    [
        (
            'process "/bin/sh -c mvn" did not complete successfully: exit code: 137',
            "exit code: 137",
        ),
        ("gcc: fatal error: Killed signal terminated program cc1plus", "Killed signal"),
        ("java.lang.OutOfMemoryError: Java heap space", "OutOfMemoryError"),
        ("brotli: Cannot allocate memory", "Cannot allocate memory"),
        ('process "/bin/sh -c mvn" did not complete successfully: exit code: 1', ""),
        ("exit code: 1370 ROOM BLOOM", ""),
    ],
)
def test_a_build_of_which_a_step_was_killed(report, step):
    told = memory.of_build("ubuntu1", 4096, report)
    assert told == (
        f"a step was killed for memory ({step}): ubuntu1 has 4096 MiB, which builds share with all"
        " that runs there: raise nodes.ubuntu1.memory in lab.yml"
        if step
        else ""
    )


@pytest.mark.parametrize(
    ("command", "container"),
    [
        (("docker", "exec", "mysql", "mysqldump", "djangodb"), "mysql"),
        (("docker", "exec", "--interactive", "mysql", "mysql"), "mysql"),
        (("flock", "/run/lock/lab-node", "docker", "exec", "cassandra", "nodetool"), "cassandra"),
        (("docker", "run", "--detach", "image", "docker"), ""),
        (("docker", "restart", "nginx"), ""),
        (("cat", "/etc/lab/address"), ""),
    ],
)
def test_which_container_a_command_enters(command, container):
    assert steps.entered(command) == container


@pytest.mark.parametrize("script", [memory.LOOK, once.RUN], ids=["look", "run once"])
def test_what_is_run_on_nodes_is_bash(script):
    done = subprocess.run(("bash", "-n"), input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


STUB = """#!/bin/bash
case "$*" in
  "run "*) echo 67f1 >"$3"; echo "mysql: database djangodb: was there"; exit {status} ;;
  inspect*) echo {killed} ;;
  events*) {event} ;;
  rm*) echo "$*" >>"$0.removed" ;;
esac
"""


@pytest.mark.parametrize(
    ("status", "killed", "event", "said"),
    [
        (0, "false", ":", ""),
        # Something of it was killed, and it did what it had to.
        (0, "true", "echo 1 67f1", ""),
        (1, "false", ":", ""),
        (137, "true", ":", once.KILLED),
        # Docker's word for it is late now and then: an event is as good.
        (137, "false", "echo 1 67f1", once.KILLED),
        (137, "false", "echo 1 another", ""),
        (1, "true", ":", once.KILLED),
    ],
)
def test_what_runs_once_tells_how_it_ended_and_leaves_nothing(
    tmp_path, status, killed, event, said
):
    """With a `docker` that only says what the real one says."""
    stub, folder = tmp_path / "docker", tmp_path / "once"
    stub.write_text(STUB.format(status=status, killed=killed, event=event))
    stub.chmod(0o755)
    folder.mkdir()
    (folder / "secret").write_text("x")
    command = ("docker", "run", "--cidfile", f"{folder}.id")
    done = subprocess.run(
        ("bash", "-c", once.RUN, folder, *command),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (status, said)
    assert (tmp_path / "docker.removed").read_text() == "rm --force --volumes 67f1\n"
    assert {path.name for path in tmp_path.iterdir()} == {"docker", "docker.removed"}
