"""The balancers: their configuration, and which web servers they send requests to."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from lab.balancers import haproxy
from lab.balancers.haproxy import Server
from lab.context import Lab
from lab.engine.apply import settle
from lab.engine.difference import interrupts
from lab.engine.progress import go_on, say, together
from lab.engine.ssh import Node, RemoteError, paced, wait_until
from lab.errors import LabError
from lab.plan.plans import BALANCER
from lab.release.releases import Release

BACKEND = "nginx"
# Longer than any request may take: nginx waits 35 s for uWSGI.
IN_FLIGHT_SECONDS = 40
WELL_SECONDS = 20
# Until a server that was just started counts as up for the others' sake.
OTHERS_SECONDS = 10
MOVED_SECONDS = 20
ALIVE = "http://127.0.0.1:8404/"
REMEDY = "`fab balance` brings the balancers back"


def balance(lab: Lab, release: Release) -> bool:
    """Brings the balancers to their plan, and has all web servers get requests again.

    Returns whether anything had to be done.
    """
    changed = configure(lab, release)
    set_state(lab, lab.topology.nginx_nodes, "ready")
    return changed


def holder(lab: Lab) -> str:
    """The balancer that has the virtual address."""
    for name in lab.topology.settings.balancers:
        if _has_virtual_address(lab, name):
            return name
    raise LabError(f"no balancer holds {lab.topology.virtual_address}: `fab doctor`")


def move_address(lab: Lab, to: str) -> bool:
    """Moves the virtual address to a balancer; returns whether it had to.

    New connections wait a second, requests that were sent are answered before. Connections that are
    kept open end, as with any restart of a balancer: a browser asks again by itself.
    Raises LabError, before anything is touched, if that balancer could not serve.
    """
    now = holder(lab)
    if now == to:
        return False
    asked = ("curl", "--silent", "--fail", "--output", "/dev/null", "--max-time", "2", ALIVE)
    running = {c.name for c in lab.nodes[to].observe().running if c.state == "running"}
    if "keepalived" not in running or lab.nodes[to].attempt(*asked)[0] != 0:
        raise LabError(f"{to}: does not serve, so {now} keeps the virtual address: `fab doctor`")
    if said := lab.nodes[now].change("lab-give-address", lab.topology.virtual_address).strip():
        say(now, said)
    wait_until(
        f"{lab.topology.virtual_address} on {to}",
        lambda: _has_virtual_address(lab, to),
        bool,
        seconds=MOVED_SECONDS,
        advice=lambda _: "`fab logs --service=keepalived`",
    )
    say("lab", f"{lab.topology.virtual_address} moved from {now} to {to}")
    return True


def configure(lab: Lab, release: Release) -> bool:
    """Brings the balancers to their plan: a changed configuration is read again, not restarted.

    Containers are replaced one balancer after another, each while the other one has the virtual
    address. Returns whether anything had to be done.
    """
    names = lab.topology.settings.balancers
    plans = {name: lab.plan(release, name) for name in names}

    def bring(name: str) -> bool:
        return settle(lab.nodes[name], plans[name], BALANCER)

    def stops(name: str) -> bool:
        part = plans[name].only(BALANCER)
        return interrupts(part, lab.nodes[name].observe(part), BALANCER)

    if any(together({name: partial(stops, name) for name in names}).values()):
        first, last = sorted(names, key=lambda name: _has_virtual_address(lab, name))
        changed = {first: bring(first)}
        if _has_virtual_address(lab, last):
            move_address(lab, first)
        changed[last] = bring(last)
    else:
        changed = together({name: partial(bring, name) for name in names})
    return any(changed.values())


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
    names = lab.topology.settings.balancers
    return together({name: partial(_servers, lab.nodes[name]) for name in names})


def _servers(balancer: Node) -> dict[str, Server]:
    servers = haproxy.servers(_ask(balancer, f"show stat {BACKEND} 4 -1"))
    if not servers:
        raise RemoteError(f"{balancer.name}: HAProxy names no web server: {REMEDY}")
    return servers


def taken_out(lab: Lab) -> frozenset[str]:
    """The web servers that a task drained, and did not live to give back."""
    names = lab.topology.settings.balancers
    taken = together({name: partial(_taken_out, lab.nodes[name]) for name in names})
    return frozenset().union(*taken.values())


def _taken_out(balancer: Node) -> frozenset[str]:
    return haproxy.taken_out(_ask(balancer, f"show servers state {BACKEND}"))


@contextmanager
def drained(lab: Lab, *servers: str, later: Collection[str] = ()) -> Iterator[None]:
    """No new request comes to these web servers meanwhile; those in flight are answered before.

    They get requests again once every balancer sees them well; if what is done meanwhile fails,
    they do not. Servers whose requests no other one could answer keep them. One that the balancers
    don't know yet gets none anyway.
    later: those whose own turn comes yet, and which stay as they are until then.
    """
    views = states(lab).values()
    known = tuple(server for server in servers if any(server in view for view in views))
    if not known:
        yield
        return
    if _others_take_over(lab, known, views):
        _drain(lab, known)
    else:
        say(" and ".join(known), "not drained: no other web server is up")
    yield
    _give_back(lab, tuple(server for server in known if server not in later))


def _others_take_over(
    lab: Lab, servers: tuple[str, ...], views: Collection[dict[str, Server]]
) -> bool:
    """Whether every balancer has another server that is up, or will be in a moment."""
    if _others_serve(servers, views):
        return True
    there_are_others = any(view.keys() - set(servers) for view in views)
    return there_are_others and _within(
        OTHERS_SECONDS, lambda: _others_serve(servers, states(lab).values())
    )


def _give_back(lab: Lab, servers: tuple[str, ...]) -> None:
    """Has servers get requests again once every balancer sees them well."""
    wait_until(
        f"{' and '.join(servers)}: seen well by the balancers",
        lambda: {
            f"{server} on {balancer}": view.get(server)
            for balancer, view in states(lab).items()
            for server in servers
        },
        lambda seen: all(server is not None and server.well for server in seen.values()),
        seconds=WELL_SECONDS,
        advice=lambda _: "`fab status`, `fab logs --service=haproxy`",
    )
    set_state(lab, servers, "ready")


def close(lab: Lab) -> None:
    """No web server gets requests any more: HAProxy answers 503 with its page. Those in flight are
    answered before. A balancer that is started anew opens the site again, as `reopen` does."""
    _drain(lab, _known(lab))


def reopen(lab: Lab) -> None:
    set_state(lab, _known(lab), "ready")


def closed(lab: Lab) -> bool:
    """Whether every balancer has drained all its web servers. One that does not say so has not."""
    balancers = map(lab.nodes.__getitem__, lab.topology.settings.balancers)
    try:
        return all(_taken_out(node) == _servers(node).keys() for node in balancers)
    except RemoteError:
        return False


def _known(lab: Lab) -> tuple[str, ...]:
    """The web servers that the balancers have, which may be others than those of lab.yml."""
    return tuple(sorted({name for view in states(lab).values() for name in view}))


def _others_serve(servers: tuple[str, ...], views: Iterable[dict[str, Server]]) -> bool:
    """Whether every balancer has another server that is up."""
    return all(
        any(other.gets_requests for name, other in view.items() if name not in servers)
        for view in views
    )


def _drain(lab: Lab, servers: tuple[str, ...]) -> None:
    """Returns once the requests in flight are answered. Whatever takes longer than
    IN_FLIGHT_SECONDS is left to the programs' own graceful end."""
    set_state(lab, servers, "drain")

    def look() -> bool:
        views = states(lab).values()
        return not any(view[one].sessions for view in views for one in servers if one in view)

    if not _within(IN_FLIGHT_SECONDS, look):
        names = " and ".join(servers)
        say(names, f"requests are in flight for more than {IN_FLIGHT_SECONDS} s: going on")


def _within(seconds: float, look: Callable[[], bool]) -> bool:
    """Whether it becomes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        reached, pause = paced(look)
        if reached or time.monotonic() > deadline:
            return reached
        go_on()
        time.sleep(pause)


def _ask(balancer: Node, commands: str) -> str:
    try:
        return balancer.feed(commands + "\n", "lab-haproxy")
    except RemoteError as error:
        raise RemoteError(f"{error}: {REMEDY}") from None
