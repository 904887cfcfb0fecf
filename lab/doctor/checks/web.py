"""Each web service from nginx inwards: nginx, uWSGI, Django, and the ways between them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lab.config.modes import FRONTS, MODES
from lab.config.ports import UWSGI_PORT
from lab.config.topology import WebService
from lab.doctor.checks.containers import container, health, memory_of
from lab.doctor.checks.facts import LATE, Answer, Facts, in_time, rows, shortened, timely
from lab.doctor.checks.nodes import on
from lab.doctor.diagnosis import Check, Failure, Need, each, some
from lab.engine import memory
from lab.engine.observation import unsettled
from lab.plan.modes import web
from lab.plan.modes.overlay import managers
from lab.plan.records import AddressOf, Container


def checks(facts: Facts) -> Iterator[Check]:
    for node in facts.topology.nginx_nodes:
        yield from nginx(facts, node)
    for service in facts.topology.web:
        names = Names(facts, service)
        yield from way(facts, names)
        yield from django(facts, names)
    if facts.topology.overlay:
        yield stack(facts)


def stack(facts: Facts) -> Check:
    """Of a stack, whose tasks are Swarm's business, only whether as many run as should."""
    outputs = [facts.answer(node, "stack").output for node in managers(facts.topology)]
    tasks_of = rows(next(filter(None, outputs), ""), 2)
    missing = [f"{name} {tasks}" for name, tasks in tasks_of if unsettled(tasks)]
    killed = [
        (node, stopped)
        for node in facts.topology.names
        for stopped in facts.containers(node).values()
        if stopped.task and stopped.killed and stopped.state != "running"
    ]
    evidence, remedy = f"tasks: {', '.join(missing)}", "fab logs --service=django"
    if killed:
        node, stopped = killed[0]
        evidence += (
            f"; {node}: {stopped.service} was killed for memory: its limit is {stopped.memory} MiB"
        )
        remedy = f"{memory.remedy(stopped.service)}, then `fab deploy --mode=overlay`"
    failure = Failure(evidence, remedy)
    needs = each(*(f"{node}: Docker" for node in facts.topology.names))
    return Check("the stack", failure if missing else None, (needs,))


class Names:
    """Where a service's two halves are, and what their checks are called."""

    def __init__(self, facts: Facts, service: WebService) -> None:
        mode = MODES[service.mode]
        self.outer, self.inner = service.nginx, service.django
        self.nginx, self.django = web.name(mode.front, mode.name), web.name(mode.back, mode.name)
        self.through = f"{self.outer}: nginx to Django"
        self.plan = {c.name: c for c in facts.plans[self.inner].containers}
        self.plan |= {c.name: c for c in facts.plans[self.outer].containers}


def nginx(facts: Facts, node: str) -> Iterator[Check]:
    """nginx itself, asked on its own node."""
    planned = [c for c in facts.plans[node].containers if c.service in FRONTS]
    answer = facts.answer(node, "nginx")
    failure = Failure(f"/nginx_health: {answer.said}", f"fab -H {node} logs --service=nginx")
    own = (part for c in planned for part in (container(node, c.name), memory_of(node, c.name)))
    needs = (each(*own, f"{node}: SSH", f"{node}: Docker"),)
    yield Check(f"{node}: nginx", None if answer.output == "200" else failure, needs)


def way(facts: Facts, names: Names) -> Iterator[Check]:
    """From nginx to Django: what nginx is told, the networks, and whether requests get through."""
    outer, inner = names.outer, names.inner
    on_the_way = [f"{outer}: nginx", f"{inner}: Django"]
    for node, name in dict.fromkeys(((inner, names.django), (outer, names.nginx))):
        network = f"{node}: network of {name}"
        yield Check(
            network, _network(facts, node, names.plan[name]), (each(container(node, name)),)
        )
        on_the_way.append(network)
    if names.nginx != names.django:
        told, upstream = (
            f"{outer}: address that nginx is told",
            f"{outer}: {_upstream(facts, names)}",
        )
        both = each(container(outer, names.nginx), container(inner, names.django), *on_the_way[2:])
        yield Check(told, _told(facts, names), (both,))
        yield Check(upstream, _found(facts, names), (each(told), both))
        on_the_way += [told, upstream]
    if inner != outer:
        on_the_way.append(f"{inner}: port {UWSGI_PORT}")
    failure = _through(facts, names)
    yield Check(names.through, failure, (each(*on_the_way),))
    yield health(facts, outer, names.nginx, names.through)
    yield from pages(facts, names)


def _upstream(facts: Facts, names: Names) -> str:
    return "uWSGI's socket" if _by_socket(facts, names) else "name that nginx is told"


def _by_socket(facts: Facts, names: Names) -> bool:
    return _wanted(facts, names).startswith("unix:")


def _network(facts: Facts, node: str, planned: Container) -> Failure | None:
    found = facts.containers(node).get(planned.name)
    networks = found.networks if found else {}
    # Of one that shares another one's, Docker tells no network.
    if planned.joined or planned.network in networks:
        return None
    return Failure(
        f"it is on {', '.join(networks) or 'no network'}, not on {planned.network}",
        on(node, f"docker network connect {planned.network} {planned.name}"),
    )


def _told(facts: Facts, names: Names) -> Failure | None:
    inspected = facts.containers(names.outer).get(names.nginx)
    told = inspected.environment.get("UWSGI_URI", "nothing") if inspected else "nothing"
    wanted = _wanted(facts, names)
    if told == wanted:
        return None
    return Failure(
        f"nginx is told {told}, and Django is at {wanted}",
        on(names.outer, f"docker rm -f {names.nginx}") + f"; fab -H {names.outer} deploy",
    )


def _wanted(facts: Facts, names: Names) -> str:
    """HOST:PORT of Django, or its socket, as nginx has to be told."""
    wanted = dict(names.plan[names.nginx].environment)["UWSGI_URI"]
    if not isinstance(wanted, AddressOf):
        return wanted
    django = facts.containers(names.inner).get(names.django)
    return f"{django.networks.get('bridge', '?') if django else '?'}:{wanted.port}"


def _found(facts: Facts, names: Names) -> Failure | None:
    answer = facts.inside(names.outer, names.nginx, "upstream")
    if _by_socket(facts, names):
        remedy = on(names.inner, f"docker restart {names.django}")
        failure = None if answer.well else Failure("nginx may not write to it", remedy)
        return in_time(answer, failure)
    if answer.well and answer.output.strip():
        return None
    failure = Failure(
        f"{_wanted(facts, names)} is not found by nginx's resolver",
        on(names.inner, f"docker restart {names.django}"),
    )
    return in_time(answer, failure)


def _through(facts: Facts, names: Names) -> Failure | None:
    answer = facts.inside(names.outer, names.nginx, "through")
    if answer.output.strip() == "200":
        return None
    why = re.search(r"\*\d+ (.*?)(?:, client:|$)", answer.errors)
    said = f"HTTP {answer.output.strip()}" if answer.well else answer.said
    evidence = f"/uwsgi_health: {said}" + (f"; nginx: {shortened(why[1])}" if why else "")
    return Failure(evidence, f"fab -H {names.outer} logs --service=nginx")


def pages(facts: Facts, names: Names) -> Iterator[Check]:
    """What a browser sees of this service: a page that looks its session up, and what it names."""
    node, inner = names.outer, names.inner
    reached = each(f"{node}: port 80", names.through, f"{inner}: Django")
    page = facts.page(node, "page")
    failure = Failure(f"/posts/list: {page.said}", f"fab -H {inner} logs --service=django")
    ways = (f"{inner}: Django to MySQL (write)", f"{inner}: Django to MySQL (read)")
    mysql = each("MySQL: tables", *ways)
    yield Check(f"{node}: pages", None if page.status == 302 else failure, (reached, mysql))
    static = facts.page(node, "static")
    failure = Failure(static.text, "fab deploy")
    yield Check(f"{node}: static files", None if static.status == 200 else failure, (reached,))
    wanted, served = facts.release.name if facts.release else "", static.release
    other = bool(wanted and served and wanted != served and inner not in facts.rewired)
    failure = Failure(f"pages are of release {served}, the current one is {wanted}", "fab deploy")
    yield Check(f"{inner}: release", failure if other else None, (reached,))


def django(facts: Facts, names: Names) -> Iterator[Check]:
    """uWSGI and Django, asked inside their container, and what Django says of its databases."""
    node, name = names.inner, names.django
    asked = facts.inside(node, name, "django")
    logs = f"fab -H {node} logs --service={names.plan[name].service}"
    # A status line, whatever it says, is uWSGI's; only that of a Django that works is 200.
    status = asked.output.partition("\n")[0]
    own = each(container(node, name), memory_of(node, name), f"{node}: files of {name}")
    failure = Failure(f"no answer from uWSGI: {asked.said}", on(node, f"docker restart {name}"))
    yield Check(f"{node}: uWSGI", None if status.startswith("HTTP/") else failure, (own,))
    failure = Failure(f"/uwsgi_health: {status}", logs)
    yield Check(
        f"{node}: Django", None if " 200 " in status else failure, (each(f"{node}: uWSGI"),)
    )
    if name != names.nginx:
        yield health(facts, node, name, f"{node}: Django")
    databases = _databases(facts)
    # Any of them may be what /ready still waits for.
    every = tuple(need for _, _, needs in databases for need in needs)
    for key, called, needs in databases:
        lives = each(f"{node}: Django", f"{node}: network of {name}", f"{node}: files of {name}")
        down = _database(asked, key, logs)
        late = down is not None and LATE in down.evidence
        yield Check(f"{node}: Django to {called}", down, (lives, *(every if late else needs)))


def _databases(facts: Facts) -> tuple[tuple[str, str, tuple[Need, ...]], ...]:
    settings = facts.topology.settings
    account = each("the virtual address", "MySQL: account", "MySQL: tables")
    ring = some((f"{n}: Cassandra" for n in settings.cassandra), len(settings.cassandra) - 1)
    cassandra = (ring, each("Cassandra: account", "Cassandra: posts"))
    primary = some(f"{b}: HAProxy to MySQL's primary" for b in settings.balancers)
    replicas = some(f"{b}: HAProxy to MySQL's replicas" for b in settings.balancers)
    return (
        ("mysql_write", "MySQL (write)", (account, primary)),
        ("mysql_read", "MySQL (read)", (account, replicas)),
        ("cassandra", "Cassandra", cassandra),
    )


def _database(asked: Answer, key: str, logs: str) -> Failure | None:
    try:
        state = json.loads(asked.output.splitlines()[1])["checks"][key]
    except (ValueError, LookupError, TypeError):
        return Failure(f"/ready: {asked.said}", logs)
    if state == "ok":
        return None
    why = [line for line in asked.errors.splitlines() if f"not ready: {key}: " in line]
    return Failure(_message(why[-1]) if why else "/ready says down", logs)


def _message(line: str) -> str:
    try:
        return timely(json.loads(line)["message"])
    except (ValueError, LookupError, TypeError):
        return timely(line)
