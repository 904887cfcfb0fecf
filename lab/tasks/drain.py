"""Tells the balancers which web servers get new requests, by HAProxy's own admin socket."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from lab.progress import together
from lab.remote import Node, RemoteError
from lab.tasks.context import Lab

SOCKET = "UNIX-CONNECT:/run/haproxy/admin.sock"
BACKEND = "nginx"


def set_state(lab: Lab, servers: Iterable[str], state: str) -> None:
    """drain: no new requests, those in flight go on; ready: as its health checks say."""
    servers = tuple(servers)
    if not servers:
        return
    commands = "; ".join(f"set server {BACKEND}/{name} state {state}" for name in servers)
    balancers = lab.topology.settings.balancers
    together({name: partial(_ask, lab.nodes[name], commands) for name in balancers})


def _ask(balancer: Node, commands: str) -> None:
    answer = balancer.feed(
        commands + "\n", "docker", "exec", "--interactive", "haproxy", "socat", "-", SOCKET
    )
    # Silence means that all of them were obeyed.
    if answer.strip():
        raise RemoteError(f"{balancer.name}: HAProxy: {commands}: {answer.strip()}")
