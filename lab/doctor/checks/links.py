"""The ways between nodes: each port that somebody on another node has to reach."""

from __future__ import annotations

from collections.abc import Iterator

from lab.config.ports import (
    CASSANDRA_PORT,
    CASSANDRA_RING_PORT,
    MYSQL_GROUP_PORT,
    MYSQL_ROLE_PORT,
    UWSGI_PORT,
    WEB_PORT,
)
from lab.doctor.checks.facts import Facts
from lab.doctor.checks.nodes import on
from lab.doctor.checks.questions import links
from lab.doctor.diagnosis import Check, Failure, each


def checks(facts: Facts) -> Iterator[Check]:
    listener = {
        WEB_PORT: ("nginx",),
        UWSGI_PORT: ("uWSGI",),
        MYSQL_ROLE_PORT: ("MySQL",),
        # Open as long as the server runs, in the group or not; it waits for room on its disk.
        MYSQL_GROUP_PORT: ("container mysql", "MySQL's disk"),
        CASSANDRA_PORT: ("Cassandra",),
        CASSANDRA_RING_PORT: ("Cassandra",),
    }
    for node, port, sources in links(facts.topology):
        failure = _unreached(facts, node, port, sources)
        names = (*listener[port], "firewall")
        needs = (each(*(f"{node}: {name}" for name in names)),)
        yield Check(f"{node}: port {port}", failure, needs)


def _unreached(facts: Facts, node: str, port: int, sources: tuple[str, ...]) -> Failure | None:
    """Who did not get through; a node that could not be asked says nothing."""
    place = f"{facts.topology.address(node)}:{port}"
    why = {}
    for source in sources:
        for line in facts.answer(source, "reach").output.splitlines():
            reached, _, reason = line.partition(" ")
            if reached == place:
                why[source] = reason
    if port == WEB_PORT and not facts.page(node, "nginx").status:
        why["this machine"] = facts.page(node, "nginx").text
    if not why:
        return None
    reasons = "; ".join(sorted(set(why.values())))
    return Failure(
        f"{place} from {', '.join(why)}: {reasons}",
        on(node, "iptables-save") + f": remove what blocks port {port}",
    )
