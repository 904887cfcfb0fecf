"""What brings a node to its plan, step by step: records that know their words and commands.

Pure. `words`: what is done and why, for people; `commands`: what carries it out on the node, in
order. Docker's command line is known here alone; why a step is taken, lab/engine/difference.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lab.engine.observation import LABEL
from lab.plan.records import AddressOf, Container, File, Mount, Volume

ADDRESSED = "/etc/lab/addressed"
READ = "/etc/lab/read"
SCRATCH = "lab.scratch=yes"

Command = tuple[str, ...]
Commands = tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Pull:
    image: str

    @property
    def words(self) -> str:
        return f"pull {short_image(self.image)}"

    @property
    def commands(self) -> Commands:
        return (("docker", "pull", "--quiet", self.image),)


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    network: str

    @property
    def words(self) -> str:
        return f"create network {self.network}"

    @property
    def commands(self) -> Commands:
        return (("docker", "network", "create", "--label", f"{LABEL}=web", self.network),)


@dataclass(frozen=True, slots=True)
class CreateVolume:
    volume: Volume

    @property
    def words(self) -> str:
        return f"create volume {self.volume.name}"

    @property
    def commands(self) -> Commands:
        labels = ("--label", "lab.disposable=yes") if self.volume.disposable else ()
        return (("docker", "volume", "create", *labels, self.volume.name),)


@dataclass(frozen=True, slots=True)
class Start:
    """Of a container that is not there."""

    container: Container
    reason: str

    @property
    def words(self) -> str:
        return f"start {self.container.name}: {self.reason}"

    @property
    def commands(self) -> Commands:
        return (_start(self.container),)


@dataclass(frozen=True, slots=True)
class Readdress:
    """Has the container told another one's address anew. Its script replaces it only if it was
    started with another address."""

    container: Container
    reason: str

    @property
    def words(self) -> str:
        return f"readdress {self.container.name}: {self.reason}"

    @property
    def commands(self) -> Commands:
        return (_start(self.container),)


@dataclass(frozen=True, slots=True)
class Replace:
    container: Container
    reason: str

    @property
    def words(self) -> str:
        return f"replace {self.container.name}: {self.reason}"

    @property
    def commands(self) -> Commands:
        return (*_end(self.container.name), _start(self.container))


@dataclass(frozen=True, slots=True)
class Reload:
    """The container reads its files again; nothing is stopped."""

    container: Container
    reason: str

    @property
    def words(self) -> str:
        return f"reload {self.container.name}: {self.reason}"

    @property
    def commands(self) -> Commands:
        return (("docker", "exec", self.container.name, *self.container.reload),)


@dataclass(frozen=True, slots=True)
class Remove:
    """For good. leave: what the container runs before, while its neighbours still count on it."""

    name: str
    leave: Command
    reason: str

    @property
    def words(self) -> str:
        return f"remove {self.name}: {self.reason}"

    @property
    def commands(self) -> Commands:
        farewell = (("docker", "exec", self.name, *self.leave),) if self.leave else ()
        # Before it is gone: what the node knows of it would start it again.
        forget = ("rm", "--force", f"{ADDRESSED}/{self.name}", f"{READ}/{self.name}")
        return (*farewell, forget, *_end(self.name))


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    network: str

    @property
    def words(self) -> str:
        return f"remove network {self.network}: no container is wanted in it"

    @property
    def commands(self) -> Commands:
        return (("docker", "network", "rm", self.network),)


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    """Of copies only: data stay."""

    volume: str

    @property
    def words(self) -> str:
        return f"remove volume {self.volume}: no container needs its copies"

    @property
    def commands(self) -> Commands:
        return (("docker", "volume", "rm", self.volume),)


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    folder: str

    @property
    def words(self) -> str:
        return f"remove {self.folder}: no container needs it"

    @property
    def commands(self) -> Commands:
        return (("rm", "--recursive", "--force", self.folder),)


Step = (
    Pull
    | CreateNetwork
    | CreateVolume
    | Start
    | Readdress
    | Replace
    | Reload
    | Remove
    | RemoveNetwork
    | RemoveVolume
    | RemoveFolder
)


def short_image(reference: str) -> str:
    """Without the registry."""
    return reference.rsplit("/", 1)[-1]


def _start(container: Container) -> Command:
    return (f"{ADDRESSED}/{container.name}",) if container.addressed else run(container)


def _end(name: str) -> Commands:
    return ("docker", "stop", name), ("docker", "rm", "--force", name)


def run(container: Container, address: str = "") -> Command:
    """`docker run` of a server; address: what an AddressOf among its variables resolves to."""
    kept = ("--detach", "--restart", "always", "--name", container.name)
    return _run(container, kept, address)


def one_off(container: Container, noted: str) -> Command:
    """`docker run` of a container that does one thing and prints it.

    noted: the file that names it afterwards. It is to be removed by whoever has looked how it
    ended: with `--rm` nobody could tell that it was killed for memory.
    """
    return _run(container, ("--cidfile", noted, "--quiet"))


def scratch(container: Container) -> Command:
    """`docker run` of a server that is thrown away with its data, and that none of the lab's other
    tasks takes for its own."""
    # Without a network no other name is known to Java, which asks for its machine's.
    apart = ("--hostname", "localhost", "--no-healthcheck", "--label", SCRATCH)
    return _run(container, ("--detach", *apart, "--name", container.name))


def _run(container: Container, kept: Command, address: str = "") -> Command:
    limit = container.limit
    entrypoint = ("--entrypoint", container.entrypoint) if container.entrypoint else ()
    return (
        *("docker", "run", *kept, "--network", container.network),
        *_labels(container, address),
        *("--cpus", f"{limit.cpus:g}", "--memory", f"{limit.memory}m"),
        *("--memory-swap", f"{limit.memory}m", "--pids-limit", str(limit.pids)),
        *("--read-only", "--security-opt", "no-new-privileges", "--cap-drop", "ALL"),
        *_each("--cap-add", container.capabilities),
        *_each("--tmpfs", container.temporary),
        *(("--user", container.user) if container.user else ()),
        *_each("--publish", (f"{p.address}:{p.port}:{p.port}" for p in container.publications)),
        *_each("--volume", map(_volume, container.mounts)),
        *_each("--env", (f"{k}={_value(v, address)}" for k, v in container.environment)),
        *("--stop-timeout", str(container.stop_seconds)),
        *(("--stop-signal", container.stop_signal) if container.stop_signal else ()),
        *entrypoint,
        container.image,
        *container.command,
    )


def _labels(container: Container, address: str) -> tuple[str, ...]:
    labels = {
        LABEL: container.service,
        "lab.mode": container.mode,
        "lab.digest": container.digest,
        "lab.write": str(container.limit.write * 1024 * 1024),
        "lab.address": address,
        "lab.leave": shlex.join(container.leave),
    }
    return _each("--label", (f"{key}={value}" for key, value in labels.items() if value))


def _each(option: str, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in (option, value))


def _volume(mount: Mount) -> str:
    return f"{mount.source}:{mount.target}" + ("" if mount.writable else ":ro")


def _value(value: str | AddressOf, address: str) -> str:
    return f"{address}:{value.port}" if isinstance(value, AddressOf) else value


def addressed_script(container: Container) -> File:
    """The node's own way to (re)start a container that is told another one's address.

    Run by a deployment, and by lab-follow whenever a container has started: after a reboot Docker
    deals addresses anew. Does nothing while the address is the one it was started with.
    """
    other = container.addressed
    if other is None:
        raise ValueError(f"{container.name} holds no address of another container")
    ask, start = _addressed(container, other)
    name = shlex.quote(container.name)
    script = f"""\
#!/usr/bin/env bash
# Starts {container.name} with the address that {other.container} has now.
set -euo pipefail
exec 9>"/run/lock/lab-$(basename "$0")" && flock 9
address=$({ask} 2>/dev/null || true)
[ -n "$address" ] || exit 0
label='{{{{index .Config.Labels "lab.address"}}}}'
known=$(docker inspect --format "$label" {name} 2>/dev/null || true)
[ "$known" != "$address" ] || exit 0
docker rm --force {name} >/dev/null 2>&1 || true
{start}
"""
    return File(f"{ADDRESSED}/{container.name}", script, mode=0o755)


def _addressed(container: Container, other: AddressOf) -> tuple[str, str]:
    """In the shell's words: the question for the address, and `docker run` with "$address"."""
    form = "{{with .NetworkSettings.Networks.bridge}}{{.IPAddress}}{{end}}"
    ask = f"docker inspect --format '{form}' {shlex.quote(other.container)}"
    start = shlex.join(run(container, "@address@")).replace("@address@", '"$address"')
    return ask, start


def as_typed(step: Step) -> tuple[str, ...]:
    """A step's commands as they would be typed on the node; of a script, what it comes to."""
    lines = [shlex.join(command) for command in step.commands]
    if isinstance(step, Start | Readdress | Replace) and step.container.addressed:
        ask, start = _addressed(step.container, step.container.addressed)
        gone = shlex.join(("docker", "rm", "--force", step.container.name))
        away = [gone] if isinstance(step, Readdress) else []
        lines[-1:] = [f"address=$({ask})", *away, start]
    return tuple(lines)


def entered(argv: Command) -> str:
    """The container that a command enters by `docker exec`; empty if it is another command."""
    for at, pair in enumerate(zip(argv, argv[1:], strict=False)):
        if pair == ("docker", "exec"):
            return next((word for word in argv[at + 2 :] if not word.startswith("-")), "")
    return ""
