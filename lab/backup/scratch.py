"""Servers that are thrown away: one MySQL and one Cassandra, beside the lab's own on the builder.

They have no network but their own loopback, their data go with them, and none of the lab's other
tasks sees them. What a killed task left is removed by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.context import Lab
from lab.databases import initialize
from lab.databases.once import run_django
from lab.engine import steps
from lab.engine.apply import end_of_log
from lab.engine.progress import say
from lab.engine.ssh import Node, wait_until
from lab.errors import LabError
from lab.plan.records import Container
from lab.release.releases import Release

# Seconds until a server answers, on cores that it shares with the lab's own.
READY_SECONDS = 180
MYSQL, CASSANDRA = "scratch-mysql", "scratch-cassandra"
LOOPBACK = "127.0.0.1"
# Beside a Cassandra of one node: what Django is told of it, and whose network it shares.
BESIDE = f"container:{CASSANDRA}"
ALONE = (("APP_CASSANDRA_NODES", LOOPBACK), ("APP_CASSANDRA_REPLICATION_FACTOR", "1"))


def remove_leftovers(lab: Lab) -> None:
    listing = ("docker", "ps", "--all", "--quiet", "--filter", f"label={steps.SCRATCH}")
    for container in lab.builder.run(*listing).split():
        lab.builder.change("docker", "rm", "--force", "--volumes", container)


@contextmanager
def mysql(lab: Lab, release: Release) -> Iterator[str]:
    """An empty server; yields its container's name."""
    container = Container(
        name=MYSQL,
        service="",
        image=lab.site(release).images["mysql"],
        limit=lab.topology.limits.mysql,
        network="none",
        entrypoint="scratch-server.sh",
    )
    ask = ("mysql", "-uroot", "--execute", "SELECT 1")
    with _running(lab.builder, container, ask):
        yield MYSQL


@contextmanager
def cassandra(lab: Lab, release: Release) -> Iterator[str]:
    """A ring of one node with the release's tables, empty; yields its container's name."""
    container = Container(
        name=CASSANDRA,
        service="",
        image=lab.site(release).images["cassandra"],
        limit=lab.topology.limits.cassandra,
        network="none",
        environment=(
            ("CASSANDRA_ADDRESS", LOOPBACK),
            ("CASSANDRA_SEEDS", LOOPBACK),
            ("CASSANDRA_RACK", "scratch"),
            ("CASSANDRA_TOKENS", "0,1,2,3"),
            ("CASSANDRA_AUTH_REPLICATION", "1"),
        ),
        # Java's native libraries are unpacked there and run.
        temporary=("/tmp:exec", "/run"),
    )
    with _running(lab.builder, container, ("probe-cql",)):
        _make_tables(lab, release)
        yield CASSANDRA


@contextmanager
def _running(node: Node, container: Container, ask: tuple[str, ...]) -> Iterator[None]:
    name = container.name
    try:
        node.change(*steps.scratch(container))
        wait_until(
            f"{node.name}: {name} to answer",
            lambda: _answers(node, name, ask),
            bool,
            seconds=READY_SECONDS,
            advice=lambda _: end_of_log(node, name),
        )
        say(node.name, f"{name} answers")
        yield
    finally:
        node.attempt_change("docker", "rm", "--force", "--volumes", name)


def _answers(node: Node, name: str, ask: tuple[str, ...]) -> bool:
    """Raises LabError at once if the server has ended."""
    if node.run("docker", "inspect", "--format", "{{.State.Running}}", name).strip() != "true":
        raise LabError(f"{node.name}: {name} ended; {end_of_log(node, name)}")
    return node.attempt("docker", "exec", name, *ask)[0] == 0


def _make_tables(lab: Lab, release: Release) -> None:
    status, output = run_django(
        lab,
        release,
        *("initialize", "--only", "cassandra"),
        secrets=initialize.SECRETS,
        environment=(*ALONE, *initialize.AS_MIGRATE),
        network=BESIDE,
    )
    if status != 0:
        raise LabError(f"{CASSANDRA}: no tables: " + " | ".join(output.splitlines()[-3:]))
