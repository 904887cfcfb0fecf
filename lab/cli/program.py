"""`fab`: Fabric's, with the lab's tasks and without what would change them behind their back.

The rim: of whatever goes wrong outside this program, the user is told here, in one line.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress

from fabric import Config, Executor
from fabric import __version__ as version
from fabric.main import Fab
from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from paramiko import SSHConfig

from lab.cli import tasks
from lab.config.topology import load
from lab.errors import LabError, outside
from lab.machines.made import on_own_hosts
from lab.machines.typed import for_own_hosts

CTRL_C = 130
LIST_FORMATS = ("flat", "nested", "json")

# Flags of Fabric's that no task here could honour.
_HERE = "stand in the clone that is meant, or call its .venv/bin/fab"
_OWN_WAY = "how nodes are reached is in .lab/ssh_config alone"
_NO_PASSWORD = "nothing here asks for a password: the key is .lab/login_key"  # noqa: S105
_PRIVATE = "the commands that a task runs are its own matter; `fab doctor` names those to run"
REFUSED = {
    "collection": _HERE,
    "search-root": _HERE,
    "command-timeout": "each command has a limit of its own",
    "config": "what there is to configure is in lab.yml",
    "connect-timeout": _OWN_WAY,
    "identity": _OWN_WAY,
    "ssh-config": _OWN_WAY,
    "list-agent-keys": "the lab uses no SSH agent: its key is .lab/login_key",
    "dry": "no task knows what it would do before it has begun; `fab status` changes nothing",
    "echo": _PRIVATE,
    "hide": _PRIVATE,
    "pty": _PRIVATE,
    "warn-only": "a task goes on after what it can go on after, and after nothing else",
    "list-depth": "all tasks are on one level",
    "no-dedupe": "a task runs as often as it is named",
    "prompt-for-login-password": _NO_PASSWORD,
    "prompt-for-passphrase": _NO_PASSWORD,
    "prompt-for-sudo-password": _NO_PASSWORD,
}


class Program(Fab):  # type: ignore[misc]
    """Fabric's command line: what it parses is checked whole before the first task begins."""

    _checked = False

    def __init__(self) -> None:
        super().__init__(
            name="Fabric",
            binary="fab",
            binary_names=["fab"],
            version=version,
            namespace=Collection.from_module(tasks),
            executor_class=Executor,
            config_class=Config,
        )

    def carry_out(self, arguments: Sequence[str]) -> None:
        """Program.run without its ways of ending, and without its files of configuration."""
        # The lazy one reads no file, and the given one keeps it from reading SSH's.
        self.config = Config(lazy=True, ssh_config=SSHConfig())
        self.parse_core(["fab", *arguments])
        self.parse_collection()
        self.parse_tasks()
        self.check()
        self.parse_cleanup()
        self.execute()

    def core_args(self) -> list[Argument]:
        """All of Fabric's until they were checked; then, for help and completion, those we have."""
        every = [*super().core_args(), *self.task_args()]
        for argument in every:
            # All numbers belong to flags that are refused, whatever comes with them.
            argument.kind = str if argument.kind is int else argument.kind
        return [one for one in every if not self._checked or REFUSED.keys().isdisjoint(one.names)]

    def parse_core_args(self) -> None:
        super().parse_core_args()
        # Before --list-agent-keys, which acts at once.
        self._refuse()

    def check(self) -> None:
        """Raises LabError for what was parsed and can't be done."""
        # Again: a flag of the core may follow a task.
        self._refuse()
        if self.args["list-format"].value not in LIST_FORMATS:
            raise LabError(
                f"--list-format: {self.args['list-format'].value!r} should be one of"
                f" {', '.join(LIST_FORMATS)}"
            )
        if self.core.remainder and not self.args.complete.value:
            raise LabError(
                "--: no task takes a command: run it with `vagrant ssh NODE --command COMMAND`"
            )
        if self.args.hosts.value is not None:
            _check_hosts(self.args.hosts.value.split(","), [task.name for task in self.tasks])
        self._checked = True

    def _refuse(self) -> None:
        for name, reason in REFUSED.items():
            if self.args[name].got_value and self.args[name].value:
                raise LabError(f"--{name}: not here: {reason}")


def _check_hosts(hosts: Sequence[str], names: Sequence[str]) -> None:
    nodes = load().names
    for host in hosts:
        if host not in nodes:
            raise LabError(f"-H: {host!r} is no node; the nodes are {', '.join(nodes)}")
    for task in names:
        if task not in tasks.OF_ONE_NODE:
            raise LabError(f"{task}: works on the whole lab: leave out -H")


def main(arguments: Sequence[str]) -> int:
    """The exit status of `fab` with these arguments."""
    for stream in (sys.stdout, sys.stderr):
        # Better a \\u2192 than none of what was to be told.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    status, line = _carried_out(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        status, line = status or 1, line or outside(error) or ""
    if line and on_own_hosts(os.environ.get("LAB_NAME", "lab")):
        line = for_own_hosts(line)
    if line:
        # Whoever reads neither standard output nor this has gone.
        with suppress(OSError):
            print(f"lab: {line}", file=sys.stderr, flush=True)
    _forget_unwritten()
    return status


def _carried_out(arguments: Sequence[str]) -> tuple[int, str]:
    """The exit status, and the line that says why."""
    try:
        Program().carry_out(arguments)
    except LabError as error:
        return CTRL_C if _is_of_ctrl_c(error) else 1, str(error)
    except ParseError as error:
        return 1, f"{_plain(error)}: see `fab --help`, `fab --help TASK`"
    except Exit as error:
        return error.code, error.message or ""
    except KeyboardInterrupt:
        return CTRL_C, "interrupted: run it again to go on"
    except Exception as error:
        if line := outside(error):
            return 1, line
        raise
    return 0, ""


def _plain(error: ParseError) -> str:
    """Invoke's words, with flags as they are typed."""
    text = re.sub(r"<Argument: ([\w-]+)[^>]*>", lambda match: _flag(match[1]), str(error))
    return text.rstrip(".!")


def _flag(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _is_of_ctrl_c(error: BaseException) -> bool:
    """Whether it came up while things were put back after Ctrl-C."""
    before = error.__context__
    return before is not None and (isinstance(before, KeyboardInterrupt) or _is_of_ctrl_c(before))


def _forget_unwritten() -> None:
    """What could not be written is not tried again by Python at its end, which would say so."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
