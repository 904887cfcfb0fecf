"""MySQL's servers, their group and its tables; Cassandra's nodes, the ring and the posts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lab.config.modes import BACKS
from lab.config.ports import CASSANDRA_RING_PORT, MYSQL_GROUP_PORT
from lab.config.topology import Topology
from lab.doctor.checks import disks
from lab.doctor.checks.containers import container, health, memory_of
from lab.doctor.checks.facts import LATE, NOT_ASKED, Answer, Facts, timely
from lab.doctor.checks.nodes import on
from lab.doctor.checks.questions import LAG_SECONDS, asker
from lab.doctor.diagnosis import Check, Failure, Need, each, some

# Of Django and its own applications (manage.py migrate), table to application.
TABLES = {
    "auth_group": "auth",
    "auth_group_permissions": "auth",
    "auth_permission": "auth",
    "auth_user": "auth",
    "auth_user_groups": "auth",
    "auth_user_user_permissions": "auth",
    "django_admin_log": "admin",
    "django_content_type": "contenttypes",
    "django_migrations": "",
    "django_session": "sessions",
    "posts_removedaccount": "posts",
}


def mysql(facts: Facts) -> Iterator[Check]:
    servers = facts.topology.settings.mysql
    yield Check("MySQL: primary", _primary(facts), (each(*(f"{n}: MySQL" for n in servers)),))
    # Asked inside the primary's container, which a frozen Docker lets nobody into.
    asked = [container(node, "mysql") for node in servers if role(facts, node) == "PRIMARY"]
    needs = (each("MySQL: primary", *asked),)
    yield Check("MySQL: account", _account(facts), needs)
    yield Check("MySQL: tables", _tables(facts), needs)
    for node in servers:
        own, runs = f"{node}: MySQL", container(node, "mysql")
        yield from disks.checks(facts, node, "mysql")
        room = (f"{node}: disk", disks.name(node, "mysql"))
        before = each(runs, memory_of(node, "mysql"), *room, f"{node}: port {MYSQL_GROUP_PORT}")
        yield Check(own, member(facts, node), (before,))
        behind = each(own, runs, "MySQL: primary")
        yield Check(f"{node}: replication lag", _lag(facts, node), (behind,))
        yield health(facts, node, "mysql", own)


def server_checks(topology: Topology) -> frozenset[str]:
    """The checks of each MySQL server and each Cassandra node by itself."""
    settings = topology.settings
    return frozenset(
        {f"{node}: MySQL" for node in settings.mysql}
        | {f"{node}: Cassandra" for node in settings.cassandra}
    )


def _state(facts: Facts, node: str) -> dict[str, Any]:
    """What a server's agent says of it (images/mysql/group_agent); empty if it says nothing."""
    try:
        state = json.loads(facts.answer(node, "group").output)
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def role(facts: Facts, node: str) -> str:
    return str(_state(facts, node).get("role", ""))


def member(facts: Facts, node: str) -> Failure | None:
    state, logs = _state(facts, node), f"fab -H {node} logs --service=mysql"
    if not state:
        said = facts.answer(node, "group").said
        return Failure(f"its role endpoint (port 9200): {said}", logs)
    if state["state"] != "ONLINE":
        return Failure(f"it is {state['state']} in the group", logs)
    if state["held"]:
        return Failure("it was paused, and the others do not confirm its role", logs)
    return None


def _primary(facts: Facts) -> Failure | None:
    servers = facts.topology.settings.mysql
    primaries = [node for node in servers if role(facts, node) == "PRIMARY"]
    if len(primaries) == 1:
        return None
    claiming = " and ".join(primaries) or "no server"
    return Failure(f"{claiming} says that it is the primary", "fab logs --service=mysql")


def _of_primary(facts: Facts, question: str) -> Answer:
    for node in facts.topology.settings.mysql:
        if role(facts, node) == "PRIMARY":
            return facts.inside(node, "mysql", question)
    return NOT_ASKED


def _account(facts: Facts) -> Failure | None:
    answer = _of_primary(facts, "account")
    if answer.well:
        return None
    return Failure(
        answer.said,
        "set django's password to what .lab/secrets/mysql_django_password says: on the primary"
        " `sudo docker exec -it mysql mysql -uroot`, ALTER USER django IDENTIFIED BY '...'",
    )


def _rows(answer: Answer, kind: str) -> list[str]:
    """The second column of the rows that begin with a word."""
    rows = (line.split("\t") for line in answer.output.replace("\\n", "").splitlines())
    return [row[1] for row in rows if row[0] == kind and len(row) > 1]


def _tables(facts: Facts) -> Failure | None:
    answer = _of_primary(facts, "mysql")
    missing = sorted(TABLES.keys() - set(_rows(answer, "table")))
    if answer.well and not missing:
        return None
    if not answer.well:
        return Failure(answer.said, "fab logs --service=mysql")
    return Failure(
        f"djangodb has no table {', '.join(missing)}",
        f"restore it; or take app '{TABLES[missing[0]]}' out of djangodb.django_migrations on the"
        " primary and run `fab init`, which makes it again, empty",
    )


def _lag(facts: Facts, node: str) -> Failure | None:
    answer = facts.inside(node, "mysql", "mysql")
    if not answer.well:
        return Failure(answer.said, f"fab -H {node} logs --service=mysql")
    count = transactions("".join(_rows(answer, "behind")))
    applied = transactions("".join(_rows(answer, "applied")))
    if count == 0:
        return None
    if applied or facts.busy:
        # It has much to do, or no processor to do it on: nothing holds it.
        return Failure(
            f"{LATE}: {count} transactions that it received {LAG_SECONDS} s ago are not applied"
            f" yet, {applied} were meanwhile",
            "`fab top` shows whether it catches up",
        )
    return Failure(
        f"{count} transactions that it received {LAG_SECONDS} s ago are not applied, and none was"
        " meanwhile",
        on(node, 'docker exec mysql mysql -uroot -e "SHOW FULL PROCESSLIST"')
        + ": end what holds its tables, or wait",
    )


def transactions(gtids: str) -> int:
    """How many a set holds, as in 'uuid:1-5:7,uuid:3'; a tag between is no number."""
    spans = re.findall(r":(\d+)(?:-(\d+))?(?=[:,]|$)", gtids)
    return sum(int(last or first) - int(first) + 1 for first, last in spans)


def cassandra(facts: Facts) -> Iterator[Check]:
    ring = facts.topology.settings.cassandra
    # Of three replicas one may be away.
    quorum = some((f"{node}: Cassandra" for node in ring), len(ring) - 1)
    for node in ring:
        answer, own = facts.answer(node, "cql"), f"{node}: Cassandra"
        logs = f"fab -H {node} logs --service=cassandra"
        failure = Failure(f"no answer in CQL: {answer.said}", logs)
        yield from disks.checks(facts, node, "cassandra")
        room = (f"{node}: disk", disks.name(node, "cassandra"))
        before = each(container(node, "cassandra"), memory_of(node, "cassandra"), *room)
        yield Check(own, None if answer.well else failure, (before,))
        yield health(facts, node, "cassandra", own)
    asking = [
        f"{node}: files of {c.name}"
        for node in asker(facts.topology)
        for c in facts.plans[node].containers
        if c.service in BACKS
    ]
    links = each(*(f"{node}: port {CASSANDRA_RING_PORT}" for node in ring))
    needs: tuple[Need, ...] = (quorum, each(*asking))
    login = Failure(asked(facts, "login"), "fab init")
    yield Check("Cassandra: account", login if login.evidence else None, needs)
    said = asked(facts, "read")
    late = "no answer" in said or "consistency" in said
    read = Failure(said, "fab logs --service=cassandra" if late else "fab init")
    needs = (*needs, links, each("Cassandra: account"))
    yield Check("Cassandra: posts", read if read.evidence else None, needs)


def asked(facts: Facts, step: str) -> str:
    """Where the application's own login or read failed, and why; empty if it did not.

    Like its driver it is content with the first node that does what it is asked.
    """
    for node in asker(facts.topology):
        try:
            results = json.loads(facts.answer(node, "cassandra").output)
        except ValueError:
            continue
        said = [
            f"{address} to {node}: {why}" for address, (at, why) in results.items() if at == step
        ]
        if said and ["", ""] not in results.values():
            return timely(said[0])
    return ""
