"""Brings the web to a Docker Swarm stack and back, node by node: the site is there meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from lab.config.modes import MODES
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy import static
from lab.engine.apply import apply
from lab.engine.observation import short_name, unsettled
from lab.engine.progress import say, together
from lab.engine.ssh import Node, wait_until
from lab.errors import LabError
from lab.plan.modes import overlay, web
from lab.plan.plans import WEB
from lab.plan.site import Site
from lab.release.releases import Release

GOSSIP_PORT = 7946
GOSSIP_LISTENERS = ("ss", "--no-header", "--listening", "--tcp", f"sport = {GOSSIP_PORT}")
GOSSIP_SECONDS = 20
SETTLED_SECONDS = 120
# A whole update or its rollback: one task after another, each until it is healthy.
DEPLOY_SECONDS = 300
DJANGO, NGINX = f"{overlay.STACK}_django", f"{overlay.STACK}_nginx"


def active(lab: Lab) -> bool:
    """Whether a node is part of a swarm: the web runs as a stack, or did and was cut off."""
    states = together({name: partial(_state, node) for name, node in lab.nodes.items()})
    return any(state != "inactive" for state in states.values())


def deploy(lab: Lab, release: Release, balance: Callable[[], bool]) -> None:
    """Brings the stack to a release. On the first time each node's own containers make room for it.

    balance: brings the balancers to the nodes that nginx runs on by then.
    """
    site = lab.site(release)
    _form(lab)
    serving = static.serving(lab)
    together({name: partial(_prepare, lab, site, name, serving) for name in lab.topology.names})
    _prepare_own(lab)
    _create_secrets(lab, site)
    _deploy_stack(lab)
    for name in lab.topology.nginx_nodes:
        _give_way(lab, release, name)
        _label(lab, name, "yes")
        _wait_nginx(lab, name, "1")
    balance()
    for name in lab.topology.names:
        _give_way(lab, release, name)
    say("lab", f"overlay: {release.name}")


def require_whole(lab: Lab, services: tuple[WebService, ...]) -> None:
    """Raises LabError if only some web services are meant while the web is a stack of all nodes."""
    if set(services) != set(lab.topology.web) and active(lab):
        raise LabError("-H: the web is a Swarm stack of all nodes now: `fab deploy` ends that")


def vacate(lab: Lab, name: str) -> None:
    """Has Swarm's nginx leave a node, whose port 80 is free then."""
    if _state(_manager(lab)) != "active":
        _leave_swarm(lab.nodes[name])
        return
    _label(lab, name, "no")
    _wait_nginx(lab, name, "0")


def leave(lab: Lab) -> None:
    """Removes the stack and the swarm with all that they brought along."""
    nodes = lab.nodes
    if _state(_manager(lab)) == "active":
        _manager(lab).run(*overlay.END)
    together({name: partial(_wait_no_tasks, node) for name, node in nodes.items()})
    # One after another: Docker waits for its neighbours to hear that it leaves; if they leave too
    # it gives up, and keeps port 7946 for good (moby issue 31913). The first manager is the last:
    # as long as it is there, a task that was cut off can be gone on with.
    for name in reversed(lab.topology.names):
        _leave_swarm(nodes[name])
    say("lab", "overlay: left")


def scale(lab: Lab, count: int) -> None:
    """Has Swarm run so many Django tasks until the next deploy."""
    if not active(lab):
        raise LabError("the web is no Swarm stack now: `fab deploy --mode=overlay` makes it one")
    _manager(lab).run("docker", "service", "scale", "--detach=false", f"{DJANGO}={count}")
    _expect_settled(lab)
    say("lab", f"{count} Django tasks")


def _manager(lab: Lab) -> Node:
    return lab.nodes[overlay.managers(lab.topology)[0]]


def _state(node: Node) -> str:
    return node.run("docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip()


def _form(lab: Lab) -> None:
    """Makes all nodes one swarm; those that are in it stay."""
    managers = overlay.managers(lab.topology)
    first = _manager(lab)
    together({name: partial(_expect_no_gossip, node) for name, node in lab.nodes.items()})
    if _state(first) != "active":
        strays = [name for name, node in lab.nodes.items() if _state(node) != "inactive"]
        for name in reversed(strays):
            _leave_swarm(lab.nodes[name])
        first.run(*overlay.init(lab.topology))
    for name in lab.topology.names:
        if _state(lab.nodes[name]) != "active":
            role = "manager" if name in managers else "worker"
            _join(lab, name, first.run("docker", "swarm", "join-token", "--quiet", role).strip())


def _expect_no_gossip(node: Node) -> None:
    """A Docker that kept the port of an earlier swarm would let tasks run that nobody can find."""
    if _state(node) != "active" and node.run(*GOSSIP_LISTENERS):
        raise LabError(
            f"{node.name}: Docker still has port {GOSSIP_PORT} from an earlier swarm:"
            f" `vagrant ssh {node.name} -c 'sudo systemctl restart docker'`, then run this again"
        )


def _join(lab: Lab, name: str, token: str) -> None:
    """By Docker's own interface: on a command line everybody on the node could read the token."""
    node, own = lab.nodes[name], lab.topology.address(name)
    first = lab.topology.address(overlay.managers(lab.topology)[0])
    request = {
        "ListenAddr": f"{own}:{overlay.SWARM_PORT}",
        "AdvertiseAddr": own,
        "RemoteAddrs": [f"{first}:{overlay.SWARM_PORT}"],
        "JoinToken": token,
    }
    node.feed(
        json.dumps(request),
        *("curl", "--silent", "--show-error", "--fail-with-body", "--data", "@-"),
        *("--unix-socket", "/run/docker.sock", "--header", "Content-Type: application/json"),
        "http://docker/swarm/join",
    )
    say(name, "joins the swarm")


def _prepare(lab: Lab, site: Site, name: str, serving: tuple[str, ...]) -> None:
    """The files, and the static files: nginx serves them, and any node may get Django."""
    node, plan = lab.nodes[name], overlay.plan(site, name)
    node.put(plan.files)
    static.lay(lab, node, site, serving)


def _prepare_own(lab: Lab) -> None:
    """Brings the static files to each nginx that serves until Swarm's does, and that has them
    rsynced: it is asked for what pages of the stack name."""
    current = lab.current_release()
    for service in current.web if current else ():
        mode = MODES[service.mode]
        if not mode.static_folder or service.nginx not in lab.nodes:
            continue
        if web.name(mode.front, mode.name) in lab.nodes[service.nginx].observe().containers:
            static.carry(lab, service, prune=False)


def _create_secrets(lab: Lab, site: Site) -> None:
    manager = _manager(lab)
    known = manager.run("docker", "secret", "ls", "--format", "{{.Name}}").split()
    for name, known_as in overlay.secrets(site).items():
        if known_as not in known:
            manager.feed(site.secrets[name], "docker", "secret", "create", known_as, "-")


def _deploy_stack(lab: Lab) -> None:
    manager = _manager(lab)
    say(manager.name, "docker stack deploy")
    # Docker's own wait never ends while no node may run nginx yet.
    wait = "false" if manager.observe().stack.get(NGINX, "0/0") != "0/0" else "true"
    command = (*overlay.DEPLOY, f"--detach={wait}", *overlay.OF_THE_FILE)
    manager.run("timeout", str(DEPLOY_SECONDS), *command)
    _expect_settled(lab)


def _log(lab: Lab, service: str) -> str:
    """Behind what it can't tell: that a task was killed for memory."""
    _, output, errors = _manager(lab).attempt("docker", "service", "logs", "--tail", "4", service)
    killed = "".join(f"{line}; " for line in _killed(lab, service))
    return f"{killed}the end of its tasks' logs:\n{output}{errors}"


def _killed(lab: Lab, service: str) -> list[str]:
    found = (
        short_name(node.killed(task.name))
        for node in lab.nodes.values()
        for task in node.observe().tasks.values()
        if task.service == service.removeprefix(f"{overlay.STACK}_")
    )
    return list(dict.fromkeys(filter(None, found)))


def _expect_settled(lab: Lab) -> None:
    """Returns once every task is of the release. Raises LabError if Swarm took the release back."""
    manager = _manager(lab)

    def states() -> dict[str, str]:
        stack = manager.observe().stack
        updates = {service: _update_state(manager, service) for service in (DJANGO, NGINX)}
        counts = {name: tasks for name, tasks in stack.items() if unsettled(tasks)}
        return {name: state for name, state in updates.items() if state} | counts

    ended = wait_until(
        f"{manager.name}: Swarm's tasks",
        states,
        lambda found: not found or any("rollback_completed" in state for state in found.values()),
        seconds=DEPLOY_SECONDS,
        advice=lambda found: _log(lab, next(iter(found))),
    )
    for service, state in ended.items():
        raise LabError(f"{service}: Swarm ended with {state}; {_log(lab, service)}")


def _update_state(manager: Node, service: str) -> str:
    """Of the last update; empty if there was none, or it is completed."""
    form = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}"
    state = manager.run("docker", "service", "inspect", service, "--format", form).strip()
    return "" if state == "completed" else state


def _give_way(lab: Lab, release: Release, name: str) -> None:
    """Removes the web containers that are the node's own, and what only they used."""
    apply(lab.nodes[name], lab.plan(release, name), WEB)


def _label(lab: Lab, name: str, value: str) -> None:
    # By its id: a node that left and came back is known twice by its name.
    node_id = lab.nodes[name].run("docker", "info", "--format", "{{.Swarm.NodeID}}").strip()
    if node_id:
        label = f"{overlay.NGINX_LABEL}={value}"
        _manager(lab).run("docker", "node", "update", "--label-add", label, node_id)


def _wait_nginx(lab: Lab, name: str, count: str) -> None:
    """Returns once Swarm has so many healthy nginx on the node."""

    def look() -> list[str]:
        found = lab.nodes[name].observe().tasks.values()
        return [running.state for running in found if running.service == "nginx" and running.well]

    wait_until(
        f"{name}: {count} nginx by Swarm",
        look,
        lambda states: len(states) == int(count),
        seconds=SETTLED_SECONDS,
        advice=lambda _: _log(lab, NGINX),
    )


def _wait_no_tasks(node: Node) -> None:
    wait_until(
        f"{node.name}: the end of Swarm's tasks",
        lambda: sorted(node.observe().tasks),
        lambda names: not names,
        seconds=SETTLED_SECONDS,
        advice=lambda names: f"`docker logs {names[0]}` on {node.name}",
    )


def _leave_swarm(node: Node) -> None:
    if _state(node) != "inactive":
        node.run("docker", "swarm", "leave", "--force")
        wait_until(
            f"{node.name}: the end of Swarm's gossip",
            lambda: node.run(*GOSSIP_LISTENERS),
            lambda listeners: not listeners,
            seconds=GOSSIP_SECONDS,
            advice=lambda _: f"`systemctl restart docker` on {node.name}",
        )
        _register_names_again(node)
    # What Swarm made on the node, and does not take with it.
    node.attempt("docker", "network", "rm", "docker_gwbridge")


def _register_names_again(node: Node) -> None:
    """A Docker that leaves a swarm forgets the names of all networks; a restart tells them anew."""
    for network in node.observe().networks:
        form = ("--quiet", "--filter", f"network={network}")
        if containers := node.run("docker", "ps", *form).split():
            node.run("docker", "restart", *containers)
