"""The balancers: their configuration, and which web servers they send requests to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from lab import docker, haproxy
from lab.haproxy import Server
from lab.plan import BALANCER
from lab.progress import go_on, say, together
from lab.releases import Release
from lab.remote import POLL_SECONDS, Node, RemoteError, wait_until
from lab.tasks.apply import apply, wait_healthy
from lab.tasks.context import Lab

SOCKET = "UNIX-CONNECT:/run/haproxy/admin.sock"
BACKEND = "nginx"
# Longer than any request may take: nginx waits 35 s for uWSGI.
IN_FLIGHT_SECONDS = 40
WELL_SECONDS = 20
# Until a server that was just started counts as up for the others' sake.
OTHERS_SECONDS = 10
REMEDY = "`fab balance` brings the balancers back"


def balance(lab: Lab, release: Release) -> bool:
    """Brings the balancers to their plan, and has all web servers get requests again.

    Returns whether anything had to be done.
    """
    changed = configure(lab, release)
    set_state(lab, lab.topology.nginx_nodes, "ready")
    return changed


def configure(lab: Lab, release: Release) -> bool:
    """Brings the balancers to their plan: a changed configuration is read again, not restarted.

    Containers are replaced one balancer after another, first the one without the virtual address.
    Returns whether anything had to be done.
    """
    names = lab.topology.settings.balancers
    plans = {name: lab.plan(release, name) for name in names}

    def one(name: str) -> bool:
        changed = apply(lab.nodes[name], plans[name], BALANCER)
        wait_healthy(lab.nodes[name], plans[name], BALANCER)
        return changed

    def stops(name: str) -> bool:
        part = plans[name].only(BALANCER)
        return docker.replaced(part, lab.nodes[name].observe(part), BALANCER)

    if any(together({name: partial(stops, name) for name in names}).values()):
        turns = sorted(names, key=lambda name: _has_virtual_address(lab, name))
        done = {name: one(name) for name in turns}
    else:
        done = together({name: partial(one, name) for name in names})
    return any(done.values())


def _has_virtual_address(lab: Lab, name: str) -> bool:
    return f" {lab.topology.virtual_address}/" in lab.nodes[name].run("ip", "-4", "address")


def set_state(lab: Lab, servers: Iterable[str], state: str) -> None:
    """drain: no new requests, those in flight go on; ready: as its health checks say."""
    servers = tuple(servers)
    if not servers:
        return
    commands = "; ".join(f"set server {BACKEND}/{name} state {state}" for name in servers)

    def tell(name: str) -> None:
        # Silence means that all of them were obeyed.
        if said := _ask(lab.nodes[name], commands).strip():
            raise RemoteError(f"{name}: HAProxy: {commands}: {said}")

    together({name: partial(tell, name) for name in lab.topology.settings.balancers})


def states(lab: Lab) -> dict[str, dict[str, Server]]:
    """Each balancer's view of the web servers."""

    def look(name: str) -> dict[str, Server]:
        found = haproxy.servers(_ask(lab.nodes[name], f"show stat {BACKEND} 4 -1"))
        if not found:
            raise RemoteError(f"{name}: HAProxy names no web server: {REMEDY}")
        return found

    return together({name: partial(look, name) for name in lab.topology.settings.balancers})


def taken_out(lab: Lab) -> frozenset[str]:
    """The web servers that a task drained, and did not live to give back."""

    def look(name: str) -> frozenset[str]:
        return haproxy.taken_out(_ask(lab.nodes[name], f"show servers state {BACKEND}"))

    found = together({name: partial(look, name) for name in lab.topology.settings.balancers})
    return frozenset().union(*found.values())


@contextmanager
def drained(lab: Lab, server: str) -> Iterator[None]:
    """No new request comes to a web server meanwhile; those in flight are answered before.

    It gets requests again once every balancer sees it well; if what is done meanwhile fails, it
    does not. A server whose requests no other one could answer keeps them. One that the balancers
    don't know yet gets none anyway.
    """
    if not any(server in view for view in states(lab).values()):
        yield
        return
    if _others_serve(lab, server):
        set_state(lab, (server,), "drain")
        _wait_answered(lab, server)
    else:
        say(server, "not drained: no other web server is up")
    yield
    wait_until(
        f"{server}: seen well by the balancers",
        lambda: {name: view.get(server) for name, view in states(lab).items()},
        lambda seen: all(found is not None and found.well for found in seen.values()),
        seconds=WELL_SECONDS,
        advice=lambda _: "`fab status`, `fab logs --service=haproxy`",
    )
    set_state(lab, (server,), "ready")


def _others_serve(lab: Lab, server: str) -> bool:
    """Whether every balancer has another server that is up, or has one before long."""
    if all(view.keys() == {server} for view in states(lab).values()):
        return False

    def look() -> bool:
        return all(
            any(other.gets_requests for name, other in view.items() if name != server)
            for view in states(lab).values()
        )

    return _within(OTHERS_SECONDS, look)


def _wait_answered(lab: Lab, server: str) -> None:
    """Whatever takes longer than IN_FLIGHT_SECONDS is left to the programs' own graceful end."""

    def look() -> bool:
        return not any(v[server].sessions for v in states(lab).values() if server in v)

    if not _within(IN_FLIGHT_SECONDS, look):
        say(server, f"requests are in flight for more than {IN_FLIGHT_SECONDS} s: going on")


def _within(seconds: float, look: Callable[[], bool]) -> bool:
    """Whether it becomes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        go_on()
        time.sleep(POLL_SECONDS)
    return found


def _ask(balancer: Node, commands: str) -> str:
    """What HAProxy answers. Its answer may take long while images are built on the same cores."""
    command = ("docker", "exec", "--interactive", "haproxy", "socat", "-t", "10", "-", SOCKET)
    try:
        return balancer.feed(commands + "\n", *command)
    except RemoteError as error:
        raise RemoteError(f"{error}: {REMEDY}") from None
