"""SSH's settings and known keys of hosts of one's own (.lab/ssh_config, .lab/known_hosts). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.config.paths import FOLDER
from lab.hosts.way import Host

# As provision/hosts/bring.sh makes it.
LOGIN = "lab-tasks"
KEY = FOLDER / ".lab" / "login_key"
KNOWN_HOSTS = FOLDER / ".lab" / "known_hosts"


def ssh_config(hosts: Iterable[Host]) -> str:
    """The lab's own way to each node: its own user and key, and the host keys that were checked."""
    return "".join(
        f"Host {host.node}\n"
        f"  HostName {host.address}\n"
        f"  User {LOGIN}\n"
        f"  Port {host.port}\n"
        f'  UserKnownHostsFile "{KNOWN_HOSTS}"\n'
        "  StrictHostKeyChecking yes\n"
        "  PasswordAuthentication no\n"
        f'  IdentityFile "{KEY}"\n'
        "  IdentitiesOnly yes\n"
        "  LogLevel ERROR\n"
        for host in hosts
    )


def known_hosts(hosts: Iterable[Host], keys: Mapping[str, tuple[str, ...]]) -> str:
    """keys: by node, as the host itself told them over a connection that was checked."""
    return "".join(f"{host.known_as} {key}\n" for host in hosts for key in keys[host.node])
