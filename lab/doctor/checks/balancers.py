"""The browser's side: the site, the virtual address, both HAProxys and their servers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from lab.config.ports import MYSQL_ROLE_PORT
from lab.doctor.checks.containers import container, health, memory_of
from lab.doctor.checks.data import role
from lab.doctor.checks.facts import LATE, Facts, in_time
from lab.doctor.checks.nodes import on
from lab.doctor.diagnosis import Check, Failure, each, some

RESTORES = "restores"

Servers = dict[tuple[str, str], dict[str, str]]


def checks(facts: Facts) -> Iterator[Check]:
    balancers = facts.topology.settings.balancers
    servers = {node: states(facts.inside(node, "haproxy", "servers").output) for node in balancers}
    yield site(facts, servers)
    yield address(facts)
    yield restores(facts)
    for name in facts.topology.nginx_nodes:
        yield admitted(name, servers)
    for node in balancers:
        yield from haproxy(facts, node, servers[node])


def site(facts: Facts, servers: dict[str, Servers]) -> Check:
    """As a browser comes to it. Of the servers one is enough, but not one of those that HAProxy has
    up may be failing: some seconds pass until it notices, and this request may have gone there."""
    balancers, nginx = facts.topology.settings.balancers, facts.topology.nginx_nodes
    page = facts.page("", "site")
    failure = Failure(
        f"http://{facts.topology.virtual_address}/: {page.said}", "fab logs --service=haproxy"
    )
    any_server = some(f"{node}: HAProxy to {name}" for node in balancers for name in nginx)
    trusted = [name for name in nginx if any(_up(servers[node], "nginx", name) for node in servers)]
    behind = each(*(need for name in trusted for need in _behind(facts, name)))
    needs = (each("the virtual address"), any_server, behind)
    return Check("the site", failure if page.status != 200 else None, needs)


def address(facts: Facts) -> Check:
    """Held by one balancer. Each one's failure may be why it is not."""
    balancers, virtual = facts.topology.settings.balancers, facts.topology.virtual_address
    answers = {b: facts.answer(b, "held") for b in balancers}
    holders = [b for b, answer in answers.items() if virtual in answer.output]
    failure = None
    if len(holders) != 1:
        which = " and ".join(holders) or "no balancer"
        remedy = on(balancers[-1], "docker restart keepalived")
        failure = Failure(f"{virtual} is held by {which}", remedy)
        for answer in answers.values():
            failure = in_time(answer, failure) or failure
    programs = [(f"{b}: HAProxy", container(b, "keepalived")) for b in balancers]
    return Check("the virtual address", failure, tuple(each(*needs) for needs in programs))


def restores(facts: Facts) -> Check:
    """A restore closes the site, and opens it when all data are there."""
    answer = facts.answer(facts.topology.builder, "restore")
    name = answer.output.strip() if answer.well else ""
    evidence = f"a restore of backup {name} began and did not end: the data are not all there"
    failure = Failure(evidence, "fab restore, unless one is under way")
    return Check(RESTORES, failure if name else None, (each(f"{facts.topology.builder}: SSH"),))


def admitted(name: str, servers: dict[str, Servers]) -> Check:
    """Whether new requests may go to a server: a deployment that was killed leaves it drained."""
    status = {
        node: statistics.get(("nginx", name), {}).get("status", "")
        for node, statistics in servers.items()
    }
    drained = {node: said for node, said in status.items() if said.startswith(("MAINT", "DRAIN"))}
    said = ", ".join(f"{said} on {node}" for node, said in drained.items())
    failure = Failure(f"no new request goes to {name}: it is {said}", "fab deploy")
    return Check(f"HAProxy admits {name}", failure if drained else None, (each(RESTORES),))


def haproxy(facts: Facts, node: str, servers: Servers) -> Iterator[Check]:
    alive = facts.answer(node, "haproxy")
    failure = Failure(f"no answer: {alive.said}", on(node, "docker restart haproxy"))
    own = f"{node}: HAProxy"
    needs = (
        each(container(node, "haproxy"), memory_of(node, "haproxy"), f"{node}: files of haproxy"),
    )
    yield Check(own, None if alive.output == "200" else failure, needs)
    yield from _frontends(facts, node, servers)
    for name in facts.topology.nginx_nodes:
        yield _server(facts, node, name, servers)
    yield from _mysql(facts, node, servers)
    yield health(facts, node, "haproxy", own)
    yield health(facts, node, "keepalived")


def states(text: str) -> Servers:
    """HAProxy's `show stat`: (proxy, server) to its columns."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    # One that was cut off has no more than some of the columns.
    return {
        (row["pxname"], row["svname"]): row
        for row in rows
        if row.get("pxname") and row.get("svname")
    }


def _frontends(facts: Facts, node: str, servers: Servers) -> Iterator[Check]:
    named = ("web", "statistics", "mysql_primary", "mysql_replicas")
    shut = [n for n in named if servers.get((n, "FRONTEND"), {}).get("status") != "OPEN"]
    answer = facts.inside(node, "haproxy", "servers")
    evidence = f"not open: {', '.join(shut)}" if servers else f"show stat: {answer.said}"
    failure = Failure(evidence, "fab balance")
    needs = (each(f"{node}: HAProxy", container(node, "haproxy")),)
    yield Check(f"{node}: HAProxy's frontends", failure if shut else None, needs)


def _server(facts: Facts, node: str, name: str, servers: Servers) -> Check:
    row = servers.get(("nginx", name), {})
    status, why = row.get("status", "absent"), row.get("last_chk", "")
    # L7TOUT and its like: its checks were answered too late.
    late = f": {LATE}" if "TOUT" in row.get("check_status", "") else ""
    failure = Failure(
        f"HAProxy has {name} {status} {why}".strip() + late, f"fab -H {node} logs --service=haproxy"
    )
    behind = each(f"HAProxy admits {name}", *_behind(facts, name))
    needs = (each(f"{node}: HAProxy's frontends"), behind)
    well = _up(servers, "nginx", name)
    return Check(f"{node}: HAProxy to {name}", None if well else failure, needs)


def _up(servers: Servers, proxy: str, name: str) -> bool:
    return servers.get((proxy, name), {}).get("status", "").startswith("UP")


def _behind(facts: Facts, name: str) -> tuple[str, ...]:
    """What HAProxy's server answers with. A stack's nginx has no Django of its own.

    Django itself, too: a slow one answers nginx in time once, and the next request late.
    """
    own = (
        service
        for service in facts.topology.web
        if service.nginx == name and not facts.topology.overlay
    )
    way = (
        part
        for service in own
        for part in (f"{name}: nginx to Django", f"{service.django}: Django")
    )
    return (f"{name}: port 80", *way)


def _mysql(facts: Facts, node: str, servers: Servers) -> Iterator[Check]:
    """HAProxy's servers are up as their roles say."""
    names = facts.topology.settings.mysql
    for proxy, called, wanted in (
        ("mysql_primary", "MySQL's primary", "PRIMARY"),
        ("mysql_replicas", "MySQL's replicas", "SECONDARY"),
    ):
        roles = {name for name in names if role(facts, name) == wanted}
        up = {name for name in names if _up(servers, proxy, name)}
        failure = Failure(
            f"HAProxy has {_listed(up)} up, and {wanted} is {_listed(roles)}",
            f"fab -H {node} logs --service=haproxy",
        )
        reached = [f"{name}: port {MYSQL_ROLE_PORT}" for name in names]
        roles_known = each(f"{node}: HAProxy's frontends", "MySQL: primary")
        servers_well = each(*(f"{name}: MySQL" for name in names), *reached)
        needs = (roles_known, servers_well)
        # Of replicas there may be none: HAProxy then reads from the primary.
        well = up == roles and (bool(up) or wanted == "SECONDARY")
        yield Check(f"{node}: HAProxy to {called}", None if well else failure, needs)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
