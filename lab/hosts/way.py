"""The way to a host as whoever lab.yml says, by the system's own ssh, and to root there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from lab.config.paths import FOLDER
from lab.errors import LabError
from lab.hosts.facts import Sudo

PORT = 22
CONNECT_SECONDS = 10
SCRIPTS = FOLDER / "provision" / "hosts"
# Wherever HOME is, whoever this program runs as; the system's own are asked, too.
KNOWN = "~/.ssh/known_hosts"
SSH_FAILED = 255


@dataclass(frozen=True, slots=True)
class Host:
    """One host. target: USER@ADDRESS; key: the private key's file, or empty."""

    node: str
    target: str
    port: int
    key: str

    def __str__(self) -> str:
        return f"{self.node} ({self.target})"

    @property
    def address(self) -> str:
        return self.target.partition("@")[2]

    @property
    def known_as(self) -> str:
        """What files of known hosts call it."""
        return self.address if self.port == PORT else f"[{self.address}]:{self.port}"

    @property
    def typed(self) -> str:
        """ssh, as a person would type it."""
        port = f"-p {self.port} " if self.port != PORT else ""
        key = f"-i {shlex.quote(self.key)} " if self.key else ""
        return f"ssh {port}{key}{self.target}"


@dataclass(frozen=True, slots=True)
class Root:
    """How to be root on a host. password: sudo's, if it asks for one."""

    sudo: Sudo
    password: str = field(default="", repr=False)

    def command(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        match self.sudo:
            case "root":
                return argv
            case "free":
                return ("sudo", "--non-interactive", *argv)
            case _:
                # Asked in any case, so that what comes first on standard input is the password.
                return ("sudo", "--reset-timestamp", "--stdin", "--prompt=", *argv)

    @property
    def given(self) -> bytes:
        """What standard input begins with."""
        return f"{self.password}\n".encode() if self.sudo == "asks" else b""


def script(name: str, *arguments: str) -> tuple[str, ...]:
    """A script of provision/hosts as a command there."""
    return ("bash", "-c", (SCRIPTS / name).read_text(), name, *arguments)


def command(host: Host, argv: tuple[str, ...]) -> tuple[str, ...]:
    """ssh to a host: what stands in lab.yml counts, and no file of settings."""
    known = f'"{os.path.expanduser(KNOWN)}"'
    key = ("-i", host.key, "-o", "IdentitiesOnly=yes") if host.key else ()
    return (
        *("ssh", "-F", "/dev/null", "-p", str(host.port), *key),
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
        *("-o", f"UserKnownHostsFile={known}", "-o", "UpdateHostKeys=no"),
        *("-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "ServerAliveInterval=15"),
        *(host.target, "--", shlex.join(argv)),
    )


def ask(host: Host, argv: tuple[str, ...], root: Root | None = None) -> str:
    """What a command prints there. Raises LabError with why there is no answer."""
    return run(host, argv, root, tell=None)


def run(
    host: Host,
    argv: tuple[str, ...],
    root: Root | None = None,
    given: bytes = b"",
    tell: Callable[[str], None] | None = None,
) -> str:
    """Like ask, with something as the command's standard input; tell: is given its milestones.

    Ctrl-C does not reach it: what has begun on a host is ended there.
    """
    if root:
        argv, given = root.command(argv), root.given + given
    lines: list[str] = []
    with _process(host, argv) as process:
        sending = Thread(target=_send, args=(process, given))
        errors: list[bytes] = []
        reading = Thread(target=lambda: errors.append(_all(process.stderr)))
        sending.start()
        reading.start()
        for line in process.stdout or ():
            lines.append(line.decode(errors="replace"))
            if tell and lines[-1].startswith("lab: "):
                tell(lines[-1].removeprefix("lab: ").strip())
        sending.join()
        reading.join()
    if process.returncode != 0:
        said = b"".join(errors).decode(errors="replace")
        raise LabError(why(host, process.returncode, said or "".join(lines)))
    return "".join(lines)


@contextmanager
def standing(host: Host, argv: tuple[str, ...], root: Root) -> Iterator[str]:
    """A command that runs for as long as its standard input is open; yields its first line."""
    with _process(host, root.command(argv)) as process:
        if process.stdin is None or process.stdout is None:
            raise ValueError("no pipes")
        process.stdin.write(root.given)
        process.stdin.flush()
        try:
            yield process.stdout.readline().decode(errors="replace").strip()
        finally:
            process.stdin.close()
            process.wait()


def _process(host: Host, argv: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(host, argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _send(process: subprocess.Popen[bytes], given: bytes) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(given)
        process.stdin.close()
    except BrokenPipeError:
        # A command that ends without reading has its own error to tell.
        return


def _all(stream: object) -> bytes:
    return stream.read() if hasattr(stream, "read") else b""


def why(host: Host, status: int, said: str) -> str:
    """Why a command there failed, in a line, with what to do."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"ended with {status}"
    if status == SSH_FAILED and last.startswith("lab: "):
        return f"{host}: was cut off after `{last.removeprefix('lab: ')}`: run it again"
    if status != SSH_FAILED:
        own = [line.removeprefix("lab: ") for line in lines if line.startswith("lab: ")]
        return f"{host}: {own[-1] if own else ' | '.join(lines[-4:]) or last}"
    if "HOST IDENTIFICATION HAS CHANGED" in said or "REVOKED HOST KEY" in said:
        return (
            f"{host}: its host key is another one than {KNOWN} has: if it was made anew,"
            f" `ssh-keygen -R '{host.known_as}'` and `{host.typed}`, which shows the new one"
        )
    if "Host key verification failed" in said or "host key is known" in said:
        return (
            f"{host}: its host key is not known here: `{host.typed}` shows it; compare it with"
            " the host's own, and accept it"
        )
    if "Permission denied" in said:
        with_key = f"the key {host.key}" if host.key else "any key of the agent's or of ~/.ssh"
        return f"{host}: lets nobody in with {with_key}: `{host.typed}` has to work unasked"
    return f"{host}: does not answer over SSH ({_reason(last)}): see `{host.typed}`"


def _reason(line: str) -> str:
    return re.sub(r"^ssh: |\.?\r?$", "", line)


def key_file(text: str | None) -> str:
    """The file that lab.yml's key names."""
    return str(FOLDER / Path(text).expanduser()) if text else ""
