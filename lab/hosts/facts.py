"""What a host is and has, as provision/hosts/look.sh tells it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from typing import Literal

# How root is to be had there: one is root; without a password; with one; not at all.
Sudo = Literal["root", "free", "asks", "none"]

# What a host's firmware calls whoever runs it, where no address moves unless its owner says so.
CLOUDS = {
    "Amazon EC2": "Amazon EC2",
    "Google": "Google Cloud",
    # Azure's, on its own virtual machines alone.
    "7783-7084-3265-9085-8269-3286-77": "Azure",
    "OracleCloud.com": "Oracle Cloud",
    "DigitalOcean": "DigitalOcean",
    "Hetzner": "Hetzner Cloud",
    "Alibaba Cloud": "Alibaba Cloud",
    "Tencent Cloud": "Tencent Cloud",
    "OpenStack Foundation": "an OpenStack cloud",
    "Vultr": "Vultr",
    "Linode": "Linode",
    "Scaleway": "Scaleway",
    "UpCloud": "UpCloud",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose lab a host is a node of. key: the lab's public login key; since: in UTC."""

    name: str
    folder: str
    machine: str
    key: str
    since: str


@dataclass(frozen=True, slots=True)
class Facts:
    """memory, disk: MiB, of all and free; listening: addresses and ports; docker: its packages;
    replaced: packages that installing the node's would upgrade or remove; paths: of those that the
    lab makes; begun: a lab was about to come, and was cut off before it brought anything;
    provisioned: the address that a lab gave it; reached: addresses of other nodes."""

    system: str
    version: tuple[int, ...]
    called: str
    architecture: str
    systemd: bool
    memory: int
    disk: int
    addresses: tuple[IPv4Interface, ...]
    routes: tuple[IPv4Network, ...]
    listening: tuple[tuple[str, int], ...]
    cloud: str
    keys: tuple[str, ...]
    sudo: Sudo
    docker: tuple[str, ...]
    replaced: tuple[str, ...]
    paths: tuple[str, ...]
    login: bool
    owner: Owner | None
    begun: bool
    provisioned: str
    reached: frozenset[str]


def facts(text: str) -> Facts | None:
    """None if it is no whole answer of look.sh's."""
    parts = _parts(text)
    if "end" not in parts:
        return None
    system = _system(parts["system"])
    sudo = _first(parts["sudo"])
    return Facts(
        system=system.get("ID", ""),
        # A release to come has no number yet.
        version=_version(system.get("VERSION_ID", "9999")),
        called=system.get("PRETTY_NAME", "an unknown system"),
        architecture=_first(parts["architecture"]),
        systemd=parts["init"] == ["systemd"],
        memory=_number(parts["memory"]) // 1024,
        disk=_number(parts["disk"]),
        addresses=tuple(IPv4Interface(line.split()[3]) for line in parts["addresses"]),
        routes=tuple(_routes(parts["routes"])),
        listening=tuple(_listening(parts["listening"])),
        cloud=next((name for sign, name in CLOUDS.items() if sign in parts["vendor"]), ""),
        keys=tuple(" ".join(line.split()[:2]) for line in parts["keys"]),
        sudo=sudo if sudo in ("root", "free", "asks") else "none",  # type: ignore[arg-type]
        docker=tuple(parts["docker"]),
        replaced=tuple(dict.fromkeys(parts["replaced"])),
        paths=tuple(parts["paths"]),
        login=bool(parts["login"]),
        owner=Owner(*parts["owner"]) if len(parts["owner"]) == len(Owner.__slots__) else None,
        begun=bool(parts["begun"]),
        provisioned=_first(parts["provisioned"]),
        reached=frozenset(parts["reached"]),
    )


def _parts(text: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("== "):
            lines = parts.setdefault(line.removeprefix("== "), [])
        elif line.strip():
            lines.append(line.strip())
    return parts


def _first(lines: list[str]) -> str:
    return lines[0] if lines else ""


def _number(lines: list[str]) -> int:
    return int(lines[-1]) if lines and lines[-1].isdecimal() else 0


def _system(lines: list[str]) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: " ".join(shlex.split(value)) for name, value in pairs}


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _routes(lines: list[str]) -> Iterator[IPv4Network]:
    for line in lines:
        words = [word for word in line.split()[:2] if word[0].isdigit()]
        yield from (IPv4Network(word, strict=False) for word in words[:1])


def _listening(lines: list[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        address, _, port = line.split()[3].rpartition(":")
        # An interface's, such as 127.0.0.53%lo.
        yield address.partition("%")[0].strip("[]"), int(port)
