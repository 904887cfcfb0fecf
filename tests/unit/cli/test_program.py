"""Each global flag of Fabric's works for every task, or is refused before anything is touched."""

import pytest
from fabric.main import Fab

from lab.cli import program, tasks
from lab.cli.program import REFUSED, Program
from tests.unit.cli.test_commands import fab

HERE = "stand in the clone that is meant, or call its .venv/bin/fab"
SSH = "how nodes are reached is in .lab/ssh_config alone"
NO_PROMPT = "nothing here asks for a password: the key is .lab/login_key"
COMMANDS = "the commands that a task runs are its own matter; `fab doctor` names those to run"
DRY = "no task knows what it would do before it has begun; `fab status` changes nothing"
REFUSALS = [
    # What is typed, with tasks that change nothing whatever comes of it; the flag named; why.
    (("--dry", "releases"), "--dry", DRY),
    (("-R", "releases"), "--dry", DRY),
    (("releases", "--dry"), "--dry", DRY),
    (("-H", "ubuntu1", "--dry", "logs"), "--dry", DRY),
    (("--echo", "releases"), "--echo", COMMANDS),
    (("-e", "releases"), "--echo", COMMANDS),
    (("--hide=both", "releases"), "--hide", COMMANDS),
    (("--pty", "releases"), "--pty", COMMANDS),
    (("-p", "releases"), "--pty", COMMANDS),
    (
        ("--warn-only", "releases"),
        "--warn-only",
        "a task goes on after what it can go on after, and after nothing else",
    ),
    (
        ("-w", "releases"),
        "--warn-only",
        "a task goes on after what it can go on after, and after nothing else",
    ),
    (
        ("--command-timeout=5", "releases"),
        "--command-timeout",
        "each command has a limit of its own",
    ),
    (("-T", "soon", "releases"), "--command-timeout", "each command has a limit of its own"),
    (("--connect-timeout=5", "releases"), "--connect-timeout", SSH),
    (("-t", "5", "releases"), "--connect-timeout", SSH),
    (("--identity=/key", "releases"), "--identity", SSH),
    (("-i", "/key", "releases"), "--identity", SSH),
    (("--ssh-config=/config", "releases"), "--ssh-config", SSH),
    (("-S", "/config", "releases"), "--ssh-config", SSH),
    (
        ("--list-agent-keys",),
        "--list-agent-keys",
        "the lab uses no SSH agent: its key is .lab/login_key",
    ),
    (("--config=x.yaml", "releases"), "--config", "what there is to configure is in lab.yml"),
    (("-f", "x.yaml", "releases"), "--config", "what there is to configure is in lab.yml"),
    (("--collection=tasks", "releases"), "--collection", HERE),
    (("-c", "tasks", "releases"), "--collection", HERE),
    (("--search-root=/", "releases"), "--search-root", HERE),
    (("-r", "/", "releases"), "--search-root", HERE),
    (("--no-dedupe", "releases"), "--no-dedupe", "a task runs as often as it is named"),
    (("--list-depth=1", "--list"), "--list-depth", "all tasks are on one level"),
    (("-D", "many", "--list"), "--list-depth", "all tasks are on one level"),
    *(
        ((f"--prompt-for-{what}", "releases"), f"--prompt-for-{what}", NO_PROMPT)
        for what in ("login-password", "passphrase", "sudo-password")
    ),
]
# What is typed; how what it prints begins.
WORKING = [
    (("--help",), "Usage: fab [--core-opts]"),
    (("-h", "deploy"), "Usage: fab [--core-opts] deploy"),
    (("deploy", "--help"), "Usage: fab [--core-opts] deploy"),
    (("--list",), "Subcommands:\n\n  backup "),
    (("--list", "--list-format=nested"), "Subcommands:\n\n  backup "),
    (("--list", "-F", "json"), '{"name": "tasks"'),
    (("--version",), "Fabric 3.2.3\nParamiko 5.1.0\nInvoke 2.2.1\n"),
    (("--print-completion-script=bash",), "# Invoke tab-completion script"),
    (("--complete", "--", "fab --debug "), "backup\n"),
    (("--complete", "--", "fab --"), "--complete\n--print-completion-script\n--write-pyc\n"),
    (("--debug", "--list"), "Subcommands:"),
    (("--write-pyc", "--list"), "Subcommands:"),
    (("-H", "ubuntu1,ubuntu2", "--list"), "Subcommands:"),
]
TYPED_WRONGLY = [
    (("nothing",), "No idea what 'nothing' is: see `fab --help`, `fab --help TASK`"),
    (("--nothing", "up"), "No idea what '--nothing' is: see `fab --help`, `fab --help TASK`"),
    (("up", "nothing"), "No idea what 'nothing' is: see `fab --help`, `fab --help TASK`"),
    (("up", "--nothing"), "No idea what '--nothing' is: see `fab --help`, `fab --help TASK`"),
    (("--help", "nothing"), "No idea what 'nothing' is: see `fab --help`, `fab --help TASK`"),
    (
        ("-H",),
        "Flag -H needed value and was not given one: see `fab --help`, `fab --help TASK`",
    ),
    (
        ("scale",),
        "'scale' did not receive required positional arguments: 'count':"
        " see `fab --help`, `fab --help TASK`",
    ),
    (
        ("--list", "--list-format=table"),
        "--list-format: 'table' should be one of flat, nested, json",
    ),
    (("--list", "nothing"), "Sub-collection 'nothing' not found!"),
    *(
        (
            ("-H", hosts, "deploy"),
            f"-H: {wrong!r} is no node; the nodes are ubuntu1, ubuntu2, ubuntu3, ubuntu4",
        )
        for hosts, wrong in [
            ("ubuntu9", "ubuntu9"),
            ("ubuntu1,ubuntu9", "ubuntu9"),
            ("ubuntu1,", ""),
            ("", ""),
            ("vagrant@ubuntu1", "vagrant@ubuntu1"),
            ("ubuntu1:22", "ubuntu1:22"),
        ]
    ),
    (("-H", "ubuntu1", "deploy", "up"), "up: works on the whole lab: leave out -H"),
    *(
        (
            (*before, "--", "uname"),
            "--: no task takes a command: run it with `vagrant ssh NODE --command COMMAND`",
        )
        for before in [(), ("-H", "ubuntu1"), ("up",)]
    ),
]


@pytest.fixture
def run(capsys, monkeypatch):
    """Status, output and errors of `fab`, in this process; a task that begins says so."""

    def began(_self):
        raise AssertionError("a task began")

    monkeypatch.setattr(Program, "execute", began)
    # It is this process's own.
    monkeypatch.setattr(program, "_forget_unwritten", lambda: None)

    def run(*arguments):
        status = program.main(arguments)
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize(("typed", "flag", "why"), REFUSALS)
def test_a_flag_that_no_task_honours_is_refused(run, typed, flag, why):
    assert run(*typed) == (1, "", f"lab: {flag}: not here: {why}\n")


@pytest.mark.parametrize(("typed", "beginning"), WORKING)
def test_a_flag_that_is_offered_works(run, typed, beginning):
    status, output, _ = run(*typed)
    assert (status, output[: len(beginning)]) == (0, beginning)


@pytest.mark.parametrize(("typed", "line"), TYPED_WRONGLY)
def test_what_is_typed_wrongly_is_answered_in_one_line(run, typed, line):
    assert run(*typed) == (1, "", f"lab: {line}\n")


def test_every_flag_of_fabric_is_offered_or_refused_and_none_is_both(run):
    _, offered, _ = run("--help")
    every = [argument.names for argument in [*Fab().core_args(), *Fab().task_args()]]
    assert len(every) == 27
    for names in every:
        flags = {f"-{name}" if len(name) == 1 else f"--{name}" for name in names}
        refused = {one for _, one, _ in REFUSALS} & flags
        is_offered = any(word.split("=")[0] in flags for word in offered.split("Sub")[0].split())
        assert bool(refused) != is_offered, names
        assert not refused or REFUSED.keys() & set(names)


def test_tasks_that_take_a_node_are_tasks():
    assert set(tasks.OF_ONE_NODE) <= set(Program().namespace.task_names)


def test_dry_is_refused_by_the_program_that_is_typed_before_a_lab_is_looked_for():
    ended = fab("--dry", "destroy", LAB_SUBNET="no subnet")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"lab: --dry: not here: {DRY}\n"
