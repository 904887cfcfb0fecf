"""SSH's settings for the nodes (.lab/ssh_config): Vagrant's, asked for when they can't be right.

Vagrant takes 2 to 3 s to tell them, so they are kept while the machines are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock

from lab.config.paths import FOLDER, SSH_CONFIG
from lab.errors import LabError
from lab.machines.vagrant import require, vagrant
from lab.secrets.private import write

WAY = "run `vagrant up` or `make up`"

HOST = re.compile(r"^Host (\S+)$", re.MULTILINE)
KEY = re.compile(r'^\s+IdentityFile "(.*)"$', re.MULTILINE)

_writing = Lock()
_asked_again: set[str] = set()


def settings(lines: Iterable[str]) -> str:
    """What `vagrant ssh-config` prints, without what Ruby or Vagrant may have to warn of.

    Vagrant quotes the key's path only if it has a blank; ssh takes more amiss.
    """
    kept = (line for line in lines if line.startswith(("Host ", "  ")))
    quoted = (re.sub(r'^(\s+IdentityFile )([^"].*)$', r'\1"\2"', line) for line in kept)
    return "\n".join(quoted) + "\n"


def by_node(text: str) -> dict[str, str]:
    """Node to its part of the settings."""
    _, *parts = HOST.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def outdated(
    text: str, written: float, made: Mapping[str, float], there: Callable[[str], bool]
) -> tuple[str, ...]:
    """The nodes whose settings can't be right: they have none, or those of an earlier machine, or
    a key that is gone (the folder was renamed, say).

    text: the settings, as they were at the time `written`; made: node to when its machine was
    made; there: whether a file is there.
    """
    kept = by_node(text)

    def right(node: str) -> bool:
        keys = KEY.findall(kept.get(node, ""))
        return bool(keys) and all(map(there, keys)) and made[node] <= written

    return tuple(node for node in made if not right(node))


def due() -> tuple[str, ...]:
    """The nodes whose settings Vagrant has to tell."""
    made = {node: path.stat().st_mtime for node, path in _machines().items()}
    try:
        written = SSH_CONFIG.stat().st_mtime
    except FileNotFoundError:
        return tuple(made)
    return outdated(_kept(), written, made, lambda key: Path(key).exists())


def renew(nodes: Iterable[str]) -> None:
    """Asks Vagrant for the settings of some nodes, and keeps the others'.

    Those of a node that it does not know how to reach now are dropped, unless that is all of them.
    """
    nodes = tuple(nodes)
    require()
    told = _told(nodes)
    if not told:
        return
    with _writing:
        kept = {node: part for node, part in by_node(_kept()).items() if node not in nodes}
        write(SSH_CONFIG, "".join(f"Host {node}{part}" for node, part in (kept | told).items()))


def require_some(lab: str) -> None:
    """Raises LabError if there are no settings of the lab of this name."""
    if not SSH_CONFIG.exists():
        raise LabError(f"the lab '{lab}' is not up: {WAY}")


def moved(node: str) -> bool:
    """Whether a node that does not answer has other settings now. Vagrant is asked once.

    A container's address is lab.yml's. A virtual machine's forwarded port, or the address that it
    was lent, may be another one after a restart.
    """
    machine = _machines().get(node)
    if machine is None or machine.parent.name == "docker" or node in _asked_again:
        return False
    _asked_again.add(node)
    before = by_node(_kept()).get(node)
    renew([node])
    return by_node(_kept()).get(node) not in (None, before)


def known_to_vagrant() -> bool:
    """Whether this folder's Vagrant has made a machine."""
    return bool(_machines())


def virtual() -> bool:
    """Whether this folder's Vagrant knows a machine that is no container."""
    return any(path.parent.name != "docker" for path in _machines().values())


def _machines() -> dict[str, Path]:
    """Node to the file with its machine's id, of those that this folder's Vagrant has made."""
    return {path.parts[-3]: path for path in sorted(FOLDER.glob(".vagrant/machines/*/*/id"))}


def _kept() -> str:
    try:
        return SSH_CONFIG.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _told(nodes: tuple[str, ...]) -> dict[str, str]:
    """Vagrant says nothing of the others once one is down: each is asked for alone then."""
    try:
        return by_node(settings(vagrant("ssh-config", *nodes)))
    except LabError:
        if len(nodes) == 1:
            return {}
        return {node: part for one in nodes for node, part in _told((one,)).items()}
