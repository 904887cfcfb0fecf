"""What is typed wrongly is answered in one line that names what would be right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import program
from lab.config.paths import FOLDER
from tests.conftest import TOPOLOGY

FAB = Path(sys.executable).parent / "fab"
NODES = f"the nodes are {', '.join(TOPOLOGY.names)}"
ONE = TOPOLOGY.names[0]
ALONE = [service.django for service in TOPOLOGY.web if service.django == service.nginx]
APART = [service.nginx for service in TOPOLOGY.web if service.django != service.nginx]
MODES = "default-bridge, custom-bridge, unix-socket, all-in-one"


def fab(*arguments, **environment):
    return subprocess.run(
        (FAB, *arguments),
        cwd=FOLDER,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run(capsys, monkeypatch):
    """Status, output and errors of `fab`, in this process."""
    # It is this process's own.
    monkeypatch.setattr(program, "_forget_unwritten", lambda: None)

    def run(*arguments):
        status = program.main(arguments)
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("-H", "ubuntu9", "deploy"), f"lab: -H: 'ubuntu9' is no node; {NODES}"),
        (("-H", "ubuntu9", "logs"), f"lab: -H: 'ubuntu9' is no node; {NODES}"),
        (
            ("logs", "--service=apache"),
            "lab: --service: 'apache' is no program; those are allinone, cassandra, django,"
            " haproxy, keepalived, mysql, nginx, registry",
        ),
        (
            ("-H", (ALONE + [ONE])[0], "deploy", "--mode=bridge"),
            f"lab: --mode: 'bridge' is no mode of one node; those are {MODES}",
        ),
        *(
            (
                ("-H", node, "deploy", "--mode=custom-bridge"),
                f"lab: --mode: {node} runs no web service alone; those that do: {', '.join(ALONE)}",
            )
            for node in APART
        ),
        (
            ("deploy", "--mode=custom-bridge"),
            "lab: --mode: needs one node: fab -H NODE deploy --mode=MODE;"
            " only overlay is the whole lab's",
        ),
        (
            ("-H", ONE, "deploy", "--mode=overlay"),
            f"lab: --mode: 'overlay' is no mode of one node; those are {MODES}",
        ),
        *(
            (("scale", count), f"lab: scale: {count!r} should be a number from 1 to 12")
            for count in ("0", "13", "many")
        ),
        (
            ("drill", "nothing"),
            "lab: drill: 'nothing' is no drill: see `fab drill --list`, or `all` or `soak`",
        ),
        (
            ("drill", "soak", "--minutes=long"),
            "lab: --minutes: 'long' should be a number from 0 to 600",
        ),
        (
            ("logs", f"--lines={'9' * 5000}"),
            f"lab: --lines: '{'9' * 40}' should be a number from 0 to 100000",
        ),
        (
            ("drill", "soak", f"--seed={'9' * 5000}"),
            f"lab: --seed: '{'9' * 40}' should be a number from 0 to 2147483648",
        ),
        *(
            (
                ("matrix", flag),
                f"lab: matrix: 'bridge' is no mode; those are {MODES}, separate-hosts, overlay,"
                " article-application, article-configuration",
            )
            for flag in ("--mode=bridge", "--modes=overlay,bridge")
        ),
        (
            ("bundle", "--load", "x", "--box=lab.box"),
            "lab: --box: not with --load: what is in the bundle is brought in",
        ),
        (
            ("bundle", "nowhere/x"),
            f"lab: {FOLDER}/nowhere/x: {FOLDER}/nowhere is no folder: make it, or name another",
        ),
        (
            ("bundle", "README.md"),
            f"lab: {FOLDER}/README.md: is there already: remove it, or name another file",
        ),
        (
            ("bundle", "x", "--box=nowhere"),
            f"lab: --box: {FOLDER}/nowhere is no file: `fab box` makes one",
        ),
        (("diagram", "--into="), "lab: --into: '' should be a folder, such as docs/modes"),
        (("top", "--seconds=-1"), "lab: --seconds: '-1' should be a number from 0 to 86400"),
        (("-H", ONE, "up"), "lab: up: works on the whole lab: leave out -H"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_be_right(run, arguments, line):
    assert run(*arguments) == (1, "", f"{line}\n")


@pytest.mark.parametrize("task", ["restore", "verify-backup"])
def test_a_name_that_is_no_backups_is_refused(run, task):
    status, _, said = run(task, "--name=../..")
    line = "lab: --name: '../..' is no backup; there are: "
    assert (status, said.startswith(line)) == (1, True)


def test_a_mistake_in_the_environment_is_named_before_anything_is_touched():
    ended = fab("up", LAB_SUBNET="10.0.0.0/8")
    line = "lab: LAB_SUBNET: '10.0.0.0/8' should be a /24, such as 192.168.56.0/24"
    assert ended.returncode == 1
    assert line in ended.stderr.splitlines()


def test_a_lab_that_is_not_up_is_said_to_be_so_and_nothing_is_sent():
    ended = fab("status", LAB_NAME="nowhere", LAB_SUBNET="192.168.250.0/24")
    line = "lab: the lab 'nowhere' is not up: run `vagrant up` or `make up`"
    assert (ended.returncode, ended.stderr.strip()) == (1, line)


def test_nothing_is_compared_with_the_article_while_the_lab_is_down():
    environment = {"LAB_NAME": "nowhere", "LAB_SUBNET": "192.168.250.0/24"}
    ended = fab("matrix", "--mode=article-application", **environment)
    line = "lab: the lab 'nowhere' is not up: run `vagrant up` or `make up`"
    assert (ended.returncode, ended.stderr.strip()) == (1, line)


def test_another_word_than_yes_does_not_replace_a_lab():
    ended = fab("status", LAB_REPLACE="please")
    line = "lab: LAB_REPLACE: 'please' should be yes, or not set"
    assert (ended.returncode, ended.stderr.strip()) == (1, line)


def test_every_fault_is_listed_with_who_is_hit_and_what_is_done():
    listed = fab("drill", "--list").stdout.splitlines()
    assert len(listed) == 72
    rows = [line.split(maxsplit=1) for line in listed]
    assert ["balancer-killed", "balancer was killed"] in rows
    assert ["ubuntu4-off", "ubuntu4 lost power"] in rows
    assert ["power-cut", "every-node lost power"] in rows


def test_every_task_has_one_line_of_help():
    listed = fab("--list").stdout
    tasks = [
        "backup",
        "backups",
        "balance",
        "box",
        "build",
        "bundle",
        "deploy",
        "destroy",
        "diagram",
        "doctor",
        "drill",
        "init",
        "logs",
        "matrix",
        "push",
        "releases",
        "restore",
        "rollback",
        "scale",
        "status",
        "top",
        "trace",
        "up",
        "verify",
        "verify-backup",
    ]
    for task in tasks:
        assert f"\n  {task} " in listed
