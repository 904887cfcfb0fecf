"""What should run on a node, as frozen records.

Knows Docker's nouns (container, network, volume, mount) and nothing of how they are brought about:
lab/engine/difference.py compares these records with what was observed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from lab.config.topology import Limit


@dataclass(frozen=True, slots=True)
class AddressOf:
    """HOST:PORT, where HOST is the address Docker gave to a container of the same node.

    Only the node knows it, and only once that container runs: it is resolved there, at every start.
    """

    container: str
    port: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A port of the node's address that leads to a port of the container."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Mount:
    """A named volume (source without a slash) or a path of the node, seen at target."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file of the node. mode: its permission bits; owner: numeric user and group.

    A secret one is never printed.
    """

    path: str
    content: str
    mode: int = 0o644
    owner: int = 0
    secret: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Container:
    """A container as it should run.

    environment: pairs of name and value; network: 'bridge', 'host', a user-defined one, or
    'container:NAME', that of another container; stop_seconds: from the stop signal to the kill;
    reads: the Files it depends on. When one of them changes, the container runs `reload`, a command
    of its own; without one it is replaced. files: those that it looks at by itself whenever it
    needs them. static_set: the image whose files lie in one of its volumes before it starts.
    leave: what it runs before it is removed for good, while its neighbours still count on it.
    """

    name: str
    service: str
    image: str
    limit: Limit
    mode: str = ""
    network: str = "bridge"
    environment: tuple[tuple[str, str | AddressOf], ...] = ()
    publications: tuple[Publication, ...] = ()
    mounts: tuple[Mount, ...] = ()
    temporary: tuple[str, ...] = ("/tmp", "/run")
    capabilities: tuple[str, ...] = ()
    user: str = ""
    command: tuple[str, ...] = ()
    entrypoint: str = ""
    stop_seconds: int = 10
    reads: tuple[File, ...] = ()
    files: tuple[File, ...] = ()
    static_set: str = ""
    reload: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    stop_signal: str = ""

    @property
    def addressed(self) -> AddressOf | None:
        """The other container whose address this one is told, if any."""
        return next((v for _, v in self.environment if isinstance(v, AddressOf)), None)

    @property
    def joined(self) -> str:
        """The other container whose network and ports this one shares; empty if it has its own."""
        kind, _, name = self.network.partition(":")
        return name if kind == "container" else ""

    @property
    def reads_digest(self) -> str:
        """Changes with the content of what the container reads."""
        return hashlib.sha256("".join(file.digest for file in self.reads).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """Changes when the container has to be replaced: not when a file it can reload changes,
        and not with a secret, which is handed over by the file alone."""
        plain = _plain(replace(self, files=(), static_set=""))
        plain["reads"] = (
            [] if self.reload else [_plain(file) for file in self.reads if not file.secret]
        )
        return hashlib.sha256(repr(plain).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume. A disposable one holds copies only, and goes when no plan wants it."""

    name: str
    disposable: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the lab wants on one node, in the order in which it is started.

    stack: the web is Swarm's, whose tasks use the volumes and folders of this plan and no others.
    """

    containers: tuple[Container, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    files: tuple[File, ...] = ()
    stack: bool = False

    def __add__(self, other: Plan) -> Plan:
        return Plan(
            self.containers + other.containers,
            self.networks + other.networks,
            self.volumes + other.volumes,
            self.files + other.files,
            self.stack or other.stack,
        )

    def only(self, services: frozenset[str]) -> Plan:
        """The part of this plan that concerns some services; networks and volumes stay whole."""
        kept = tuple(c for c in self.containers if c.service in services)
        return replace(self, containers=kept)

    @property
    def images(self) -> tuple[str, ...]:
        found = (image for c in self.containers for image in (c.image, c.static_set) if image)
        return tuple(dict.fromkeys(found))

    @property
    def services(self) -> frozenset[str]:
        return frozenset(container.service for container in self.containers)

    @property
    def folders(self) -> frozenset[str]:
        """The folders of the node that the plan's files and containers use."""
        mounted = (m.source for c in self.containers for m in c.mounts if m.source.startswith("/"))
        return frozenset((*mounted, *(str(Path(file.path).parent) for file in self.all_files)))

    @property
    def all_files(self) -> tuple[File, ...]:
        """The plan's own files and those its containers read, each path once."""
        read = (file for c in self.containers for file in (*c.reads, *c.files))
        return tuple({file.path: file for file in (*self.files, *read)}.values())


def _plain(record: Any) -> Any:
    """The record as nested dictionaries and lists, independent of its classes' names."""
    if is_dataclass(record):
        return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, Limit):
        return record.model_dump()
    if isinstance(record, tuple):
        return [_plain(part) for part in record]
    return record
