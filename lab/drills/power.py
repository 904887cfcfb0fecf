"""How a node's machine loses its power, freezes and thaws, by its provider's own program. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.errors import LabError

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """Commands of this machine. thaw: may be run twice, and where nothing is frozen."""

    cut: Argv
    freeze: Argv
    thaw: Argv


def _docker(name: str) -> Power:
    frozen = '[ "$(docker inspect --format \'{{.State.Paused}}\' "$1")" = true ]'
    return Power(
        cut=("docker", "kill", name),
        freeze=("docker", "pause", name),
        thaw=_if(frozen, 'docker unpause "$1"', name),
    )


def _libvirt(name: str) -> Power:
    # As Vagrant's plugin does, whatever the user's own virsh is told.
    virsh = ("virsh", "--connect", "qemu:///system")
    told = " ".join(virsh)
    return Power(
        cut=(*virsh, "destroy", name),
        freeze=(*virsh, "suspend", name),
        thaw=_if(f'[ "$(LC_ALL=C {told} domstate "$1")" = paused ]', f'{told} resume "$1"', name),
    )


def _virtualbox(name: str) -> Power:
    control = ("VBoxManage", "controlvm", name)
    frozen = 'VBoxManage showvminfo "$1" --machinereadable | grep --quiet \'^VMState="paused"\''
    return Power(
        cut=(*control, "poweroff"),
        freeze=(*control, "pause"),
        thaw=_if(frozen, 'VBoxManage controlvm "$1" resume', name),
    )


def _if(condition: str, command: str, name: str) -> Argv:
    return ("sh", "-c", f"if {condition}; then {command}; fi", "sh", name)


PROVIDERS: Mapping[str, Callable[[str], Power]] = {
    "docker": _docker,
    "libvirt": _libvirt,
    "virtualbox": _virtualbox,
}


def power(provider: str, name: str) -> Power:
    """name: the machine's, by its provider. Raises LabError for one that nobody knows."""
    if provider not in PROVIDERS:
        raise LabError(f"drill: nothing here can cut the power of {provider}'s machine {name}")
    return PROVIDERS[provider](name)
