"""The only way to the nodes: SSH through Fabric.

Runs commands, writes files, observes, waits. Every failure names the node, what was tried, and the
last that was seen.
"""

from __future__ import annotations

import io
import json
import shlex
import socket
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TypeVar

from fabric import Config, Connection
from paramiko import Channel, RejectPolicy, SSHConfig, Transport
from paramiko.ssh_exception import (
    AuthenticationException,
    NoValidConnectionsError,
    SSHException,
)

from lab.config.paths import SSH_CONFIG
from lab.engine import memory
from lab.engine.difference import paths
from lab.engine.observation import Observation, observation
from lab.engine.progress import go_on, shown
from lab.engine.steps import entered
from lab.engine.waits import work
from lab.errors import LabError, outside
from lab.machines import ssh_settings
from lab.plan.records import File, Plan

# Between two looks, at least and at most: late machines take long, and are asked less often.
POLL_SECONDS, MOST_POLL_SECONDS = 0.2, 2.0
# How long a node waits by itself: Ctrl-C is heard after that.
AWAITED_SECONDS = 3
# Bytes read from a command at once.
PART = 128 * 1024
# What a command may print before it has to wait until that is read: its two outputs are read one
# after the other.
EVERYTHING = 2**32 - 1
# No command takes longer, not even an image that is built from nothing.
LONGEST_SECONDS = 1200

# A file is there whole or not at all, whenever a task is killed.
FRESH = ".lab-new"
# Held while a node is being changed: by the command on the node itself, not by who sent it.
CHANGING = ("flock", "/run/lock/lab-node")
UNCHANGING_SECONDS = 120

UNPACK = f"""set -e
tar --extract --directory=/
for path; do mv --no-target-directory "$path{FRESH}" "$path"; done"""

Answer = TypeVar("Answer")


class RemoteError(LabError):
    """Something failed on a node: who, what, the last lines it printed, and what to do next."""


class Node:
    """One machine of the lab, reached over SSH as .lab/ssh_config says, acting as root."""

    def __init__(self, name: str, greeting_seconds: float = 15) -> None:
        """greeting_seconds: how long sshd may take until it says who it is."""
        self.name = name
        self._connect = partial(_connection, name, greeting_seconds)
        self._connection = self._connect()
        # Several threads share the connection; one of them opens it.
        self._opening = Lock()
        # One change of this node at a time: observing and acting on it belong together.
        self.changing = Lock()

    @property
    def user(self) -> str:
        """As whom it is reached."""
        return str(self._connection.user)

    def close(self) -> None:
        """Ends the connection, and with it an sshd on the node."""
        self._connection.close()

    def run(self, *argv: str) -> str:
        """The standard output of a command run as root. Raises RemoteError if it fails."""
        return self._checked(argv, self.attempt(*argv))

    def change(self, *argv: str) -> str:
        """Like run, for what changes the node: the next task waits for it if this one is killed."""
        return self._checked(argv, self.attempt_change(*argv))

    def attempt_change(self, *argv: str) -> tuple[int, str, str]:
        """Like attempt, for what changes the node."""
        return self.attempt(*CHANGING, *argv)

    def wait_unchanging(self) -> None:
        """Returns once no killed task's command runs on this node any more."""
        program, lock = CHANGING
        self.run(program, "--timeout", str(UNCHANGING_SECONDS), lock, "true")

    def feed(self, given: str | bytes, *argv: str) -> str:
        """Like run, with something, perhaps secret, as the command's standard input."""
        return self._checked(argv, self._exchange(argv, given))

    def attempt(self, *argv: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of a command run as root."""
        return self._exchange(argv)

    def _exchange(self, argv: tuple[str, ...], given: str | bytes = b"") -> tuple[int, str, str]:
        # Not by Fabric's own `run`, which looks each 10 ms whether the command has ended, and hands
        # a text over by one character in that time.
        with (
            self._reaching(),
            work(self.name, _shown(argv), command=True),
            self._session(argv, window=EVERYTHING) as channel,
        ):
            # A command that ends without reading has its own error to tell.
            with suppress(OSError):
                channel.sendall(given.encode() if isinstance(given, str) else given)
                channel.shutdown_write()
            output = channel.makefile("rb").read().decode(errors="replace")
            errors = _errors(channel)
            return channel.recv_exit_status(), output, errors

    def _checked(self, argv: tuple[str, ...], ended: tuple[int, str, str]) -> str:
        status, output, errors = ended
        if status != 0:
            said = (errors or output).strip().splitlines()[-8:]
            if name := entered(argv):
                said.append(self.killed(name))
            raise RemoteError(
                f"{self.name}: `{_shown(argv)}` ended with {status}: "
                + " | ".join(filter(None, said))
            )
        return output

    def killed(self, container: str) -> str:
        """That a container, or a process of it, was killed for memory; empty if none was."""
        _, printed, _ = self.attempt("bash", "-c", memory.LOOK, "bash", container)
        return memory.told(self.name, container, printed)

    def lines(self, *argv: str, text: str = "", seconds: float | None = None) -> Iterator[str]:
        """The output of a command run as root, line by line as it comes.

        text: what its standard input begins with; that stays open until this is done with, and
        the command has to end with it. Raises RemoteError if the command fails, or if it says
        nothing for so many seconds.
        """
        with self._reaching():
            channel = self._connection.transport.open_session()
            try:
                channel.settimeout(seconds)
                channel.exec_command(shlex.join(("sudo", *argv)))
                channel.sendall(text.encode())
                for line in channel.makefile("rb"):
                    yield line.decode(errors="replace").rstrip("\n")
                if status := channel.recv_exit_status():
                    said = channel.makefile_stderr("rb").read().decode(errors="replace").strip()
                    raise RemoteError(f"{self.name}: `{_shown(argv)}` ended with {status}: {said}")
            finally:
                channel.close()

    def download(self, take: Callable[[bytes], object], *argv: str) -> None:
        """Hands over the standard output of a command run as root, as it comes.

        Raises RemoteError if the command fails, and LabError once the user has interrupted.
        """
        with self._reaching(), self._session(argv) as channel:
            while part := channel.recv(PART):
                go_on()
                _hand_over(take, part)
            self._checked(argv, (channel.recv_exit_status(), "", _errors(channel)))

    def upload(self, parts: Iterable[bytes], *argv: str) -> None:
        """Like download, for the standard input of a command that prints next to nothing."""
        with self._reaching(), self._session(argv) as channel:
            for part in _read(parts):
                go_on()
                try:
                    channel.sendall(part)
                except OSError:
                    # A command that ends without reading has its own error to tell.
                    break
            with suppress(OSError):
                channel.shutdown_write()
            output = channel.makefile("rb").read().decode(errors="replace")
            self._checked(argv, (channel.recv_exit_status(), output, _errors(channel)))

    @contextmanager
    def _session(self, argv: tuple[str, ...], window: int | None = None) -> Iterator[Channel]:
        channel = self._connection.transport.open_session(window_size=window)
        try:
            channel.settimeout(LONGEST_SECONDS)
            channel.exec_command(shlex.join(("sudo", *argv)))
            yield channel
        except TimeoutError as error:
            raise RemoteError(
                f"{self.name}: `{_shown(argv)}` said nothing for {LONGEST_SECONDS} s:"
                f" `vagrant ssh {self.name}`, `fab doctor`"
            ) from error
        finally:
            channel.close()

    @contextmanager
    def holding(self, *argv: str, lost: Callable[[], None]) -> Iterator[None]:
        """Keeps a command running as root meanwhile; it ends when its standard input does.

        Raises RemoteError with the first line that the command prints if that is not `held`. It
        ends with this program, however that ends. lost: what is done if it ends first.
        """
        with self._reaching():
            channel = self._connection.transport.open_session()
            channel.exec_command(shlex.join(("sudo", *argv)))
            answer = channel.makefile().readline().strip()
        released = Event()

        def watch() -> None:
            channel.recv_exit_status()
            if not released.is_set():
                lost()

        try:
            if answer != "held":
                raise RemoteError(answer or f"{self.name}: `{_shown(argv)}` said nothing")
            Thread(target=watch, daemon=True).start()
            yield
        finally:
            released.set()
            channel.close()

    def put(self, files: Iterable[File]) -> None:
        """Writes files with their owners and modes; a file is replaced whole."""
        files = tuple(files)
        if not files:
            return
        self.feed(_archive(files), "sh", "-c", UNPACK, "sh", *(file.path for file in files))

    def observe(self, plan: Plan | None = None, healthy: Iterable[str] = ()) -> Observation:
        """What the lab has on this node, and the state of the plan's files.

        healthy: containers that are waited for before, though for AWAITED_SECONDS at most.
        """
        names = ",".join(healthy)
        awaited = ("--healthy", str(AWAITED_SECONDS), names) if names else ()
        return observation(self.run("lab-observe", *awaited, *(paths(plan) if plan else ())))

    def inspect(self, *names: str) -> list[dict[str, object]]:
        """`docker inspect` of containers."""
        inspected: list[dict[str, object]] = json.loads(self.run("docker", "inspect", *names))
        return inspected

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            with self._opening:
                self._open()
            yield
        except (OSError, SSHException, EOFError) as error:
            if isinstance(error, OSError) and error.filename:
                # The key, say: a file of this machine.
                raise RemoteError(f"{self.name}: no way to it over SSH: {outside(error)}") from None
            raise RemoteError(
                f"{self.name}: no answer over SSH ({error or type(error).__name__}):"
                f" see `vagrant status {self.name}`, bring it up with `make up`"
            ) from error

    def _open(self) -> None:
        if self._connection.host == self.name:
            raise RemoteError(f"{self.name}: no machine of it is known here: {ssh_settings.WAY}")
        if self._connection.is_connected:
            return
        try:
            self._connection.open()
        except (NoValidConnectionsError, AuthenticationException):
            # Nobody there, or somebody else.
            if not ssh_settings.moved(self.name):
                raise
            self._connection = self._connect()
            self._connection.open()
        send_at_once(self._connection.transport)


def send_at_once(transport: Transport) -> None:
    """Of an open connection: a packet no longer waits for the answer to the one before it.

    As paramiko opens it, each command waits for at least one delayed acknowledgement, 40 ms on
    Linux (findings/paramiko-delayed-commands.sh). OpenSSH's own client does the same.
    """
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _read(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Tells a failure to read them on this machine from one of the connection."""
    try:
        yield from parts
    except (OSError, EOFError) as error:
        raise LabError(f"what was to be sent can't be read: {error}") from None


def _hand_over(take: Callable[[bytes], object], part: bytes) -> None:
    """Tells a failure to keep it on this machine from one of the connection."""
    try:
        take(part)
    except OSError as error:
        raise LabError(f"what was received can't be kept: {outside(error)}") from None


def wait_until(
    subject: str,
    look: Callable[[], Answer],
    enough: Callable[[Answer], bool],
    *,
    seconds: float,
    advice: Callable[[Answer], str],
    pause: float | None = None,
) -> Answer:
    """Looks again and again until it is enough.

    pause: seconds between two looks that wait by themselves; else it is as long as a look takes.
    Raises RemoteError after `seconds`: what was waited for, what was last seen, and the advice.
    """
    deadline = time.monotonic() + seconds
    with work("lab", f"wait for {subject}"):
        while True:
            go_on()
            answer, usual = paced(look)
            if enough(answer):
                return answer
            if time.monotonic() > deadline:
                raise RemoteError(
                    f"{subject}: not within {seconds:g} s; last seen: {shown(answer)};"
                    f" {advice(answer)}"
                )
            time.sleep(usual if pause is None else pause)


def paced(look: Callable[[], Answer]) -> tuple[Answer, float]:
    """What is seen, and the seconds until the next look."""
    began = time.monotonic()
    answer = look()
    return answer, min(max(POLL_SECONDS, time.monotonic() - began), MOST_POLL_SECONDS)


def _errors(channel: Channel) -> str:
    return str(channel.makefile_stderr("rb").read().decode(errors="replace"))


def _connection(name: str, greeting_seconds: float) -> Connection:
    with _known_way():
        connection = Connection(
            name,
            config=_config(),
            connect_timeout=min(5, greeting_seconds),
            # The lab's key and no other: a server ends after a few that it does not know.
            connect_kwargs={
                "banner_timeout": greeting_seconds,
                "allow_agent": False,
                "look_for_keys": False,
            },
        )
        settings = connection.ssh_config
        # A host of one's own is the one that was checked.
        if settings.get("stricthostkeychecking") == "yes":
            connection.client.load_host_keys(settings["userknownhostsfile"])
            connection.client.set_missing_host_key_policy(RejectPolicy())
        return connection


def _config() -> Config:
    """The way to the nodes, whatever the user's own Fabric and SSH are told."""
    # The lazy one reads no file, and the given one keeps it from reading SSH's.
    return Config(lazy=True, ssh_config=SSHConfig.from_path(str(SSH_CONFIG)))


@contextmanager
def _known_way() -> Iterator[None]:
    """Raises RemoteError where the file that says how to reach the nodes does not."""
    try:
        yield
    except FileNotFoundError:
        raise RemoteError(
            f"{SSH_CONFIG} is missing: the lab is not up: {ssh_settings.WAY}"
        ) from None
    except OSError as error:
        raise RemoteError(outside(error)) from None
    # Some of its settings are read as late as they are used.
    except (SSHException, ValueError):
        raise RemoteError(f"{SSH_CONFIG} is damaged: remove it, and it is written anew") from None


def _archive(files: tuple[File, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder, owner, mode in _folders(files):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, mode, int(time.time())
            entry.uid = entry.gid = owner
            archive.addfile(entry)
        for file in files:
            content = file.content.encode()
            entry = tarfile.TarInfo(file.path.lstrip("/") + FRESH)
            entry.size, entry.mode, entry.mtime = len(content), file.mode, int(time.time())
            entry.uid = entry.gid = file.owner
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _folders(files: tuple[File, ...]) -> list[tuple[str, int, int]]:
    """Each file's folder once; that of a secret belongs to who reads it, and to nobody else."""
    folders = {
        str(Path(file.path).parent): (file.owner, 0o700 if file.secret else 0o755) for file in files
    }
    return [(folder, owner, mode) for folder, (owner, mode) in sorted(folders.items())]


def _shown(argv: tuple[str, ...]) -> str:
    command = shlex.join(argv)
    return command if len(command) < 120 else command[:117] + "..."
