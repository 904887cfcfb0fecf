"""Brings one node to its plan, touching only what differs."""

from __future__ import annotations

from lab import docker
from lab.containers import Plan
from lab.progress import say
from lab.remote import Node, wait_until

# Seconds until a container must be healthy. Cassandra is the slowest: about 15 s alone, several
# times that while images are built on the same two cores.
HEALTHY_SECONDS = 240


def apply(node: Node, plan: Plan, services: frozenset[str]) -> bool:
    """Makes the node run the plan's containers of some services. Returns whether it had to act."""
    part = plan.only(services)
    for command in docker.pulls(part, node.observe()):
        say(node.name, f"pull {command[-1].rsplit('/', 1)[-1]}")
        node.run(*command)
    with node.changing:
        found = node.observe(part)
        files = docker.changed(docker.files(part), found)
        node.put(files)
        # Also when its file is as it was: a task that was cut off may have written it and no more.
        node.run("lab-firewall")
        commands = docker.commands(plan, found, services)
        for command in commands:
            _tell(node, command)
            node.run(*command)
        node.put(docker.changed(docker.notes(part), found))
    return bool(files or commands)


def _tell(node: Node, command: docker.Command) -> None:
    match command:
        case ("docker", "run", *rest):
            say(node.name, f"start {rest[rest.index('--name') + 1]}")
        case (script,):
            say(node.name, f"start {script.rsplit('/', 1)[-1]}")
        case ("docker", "stop", name):
            say(node.name, f"stop {name}")
        case ("docker", "exec", name, *_):
            say(node.name, f"{name} reads its configuration again")


def wait_healthy(node: Node, plan: Plan, services: frozenset[str]) -> None:
    """Returns once the plan's containers of some services are healthy."""
    names = tuple(container.name for container in plan.only(services).containers)
    if not names:
        return

    def look() -> dict[str, str]:
        found = node.observe().containers
        ill = {name: found.get(name) for name in names}
        return {
            name: f"{running.state}, {running.health or 'no health check'}" if running else "absent"
            for name, running in ill.items()
            if not (running and running.well)
        }

    def advice() -> str:
        name = next(iter(look()), names[0])
        _, output, errors = node.attempt("docker", "logs", "--tail", "12", name)
        return (
            f"`fab logs --service={name.split('-')[0]}`; the end of {name}'s log:\n{output}{errors}"
        )

    wait_until(
        f"{node.name}: healthy containers",
        look,
        lambda ill: not ill,
        seconds=HEALTHY_SECONDS,
        advice=advice,
    )
