"""What runs where, and whether all is well."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.config.modes import of_one_node
from lab.config.topology import Topology
from lab.context import Lab
from lab.engine.observation import Observation, short_name, unsettled
from lab.engine.progress import say, together
from lab.errors import LabError
from lab.plan.plans import WEB
from lab.plan.records import Plan
from lab.release.releases import Release


@dataclass(frozen=True, slots=True)
class Status:
    """The lab as it was found. An unreachable node has no observation."""

    topology: Topology
    release: Release | None
    observations: dict[str, Observation | None]
    # Of each node in the mode in which it was found: `fab -H NODE deploy --mode` may set another.
    plans: dict[str, Plan]

    @property
    def healthy(self) -> bool:
        return self.release is not None and not self.troubles()

    def troubles(self) -> list[str]:
        """What is not as it should be, a line each."""
        return [line for node in self.topology.names for line in self._troubles_of(node)]

    def _troubles_of(self, node: str) -> list[str]:
        observation = self.observations[node]
        if observation is None:
            return [f"{node}: no answer"]
        running = observation.containers
        lines = [f"{c.name} is {c.condition}" for c in running.values() if not c.well]
        if node in self.plans:
            lines += _deviations(self.plans[node], observation)
        if node == self.topology.names[0]:
            lines += [
                f"{name}: {tasks} tasks"
                for name, tasks in observation.stack.items()
                if unsettled(tasks)
            ]
        return [f"{node}: {line}" for line in lines]

    def changed_web(self, node: str) -> list[str]:
        """The web containers that are not as the current release and lab.yml want them.

        `fab -H NODE deploy` brings that about; it lasts until the next deploy.
        """
        observation = self.observations[node]
        if observation is None or node not in self.plans:
            return []
        planned = {service.mode for service in self.topology.web_services_of(node)}
        wanted = {container.name: container.digest for container in self.plans[node].containers}
        web = [c for c in observation.running if c.service in WEB]
        return [c.name for c in web if c.mode not in planned or wanted.get(c.name) != c.digest]

    def mode(self, node: str) -> str | None:
        observation = self.observations[node]
        return ", ".join(_modes(observation)) or None if observation else None

    def as_json(self) -> dict[str, Any]:
        """The object that the README promises."""
        return {
            "release": self.release.name if self.release else "",
            "healthy": self.healthy,
            "nodes": {node: self._node_json(node) for node in self.topology.names},
        }

    def _node_json(self, node: str) -> dict[str, Any]:
        observation = self.observations[node]
        containers = sorted(observation.running, key=lambda c: c.name) if observation else []
        return {
            "address": self.topology.address(node),
            "mode": self.mode(node),
            "containers": [
                {"name": c.name, "image": c.image, "state": c.state, "health": c.health}
                for c in containers
            ],
        }

    def as_table(self) -> str:
        lines = [f"release {self.release.name}" if self.release else "no release yet"]
        for node in self.topology.names:
            lines.append(f"\n{node}  {self.topology.address(node)}  {self._shown_mode(node)}")
            for container in self._node_json(node)["containers"]:
                image = container["image"].rsplit("/", 1)[-1]
                name, health = short_name(container["name"]), container["health"] or "-"
                lines.append(f"  {name:<26} {container['state']:<10} {health:<10} {image}")
        lines += ["", *self.troubles()] if not self.healthy else ["", "all is well"]
        return "\n".join(lines)

    def _shown_mode(self, node: str) -> str:
        planned = ", ".join(dict.fromkeys(s.mode for s in self.topology.web_services_of(node)))
        mode = self.mode(node) or ""
        if mode != planned:
            return f"{mode}  (until the next deploy; lab.yml: {planned})"
        if self.changed_web(node):
            return f"{mode}  (another release until the next deploy)"
        return mode


def _deviations(plan: Plan, observation: Observation) -> Iterator[str]:
    """Where a node differs from its plan. Web programs may be of another release."""
    wanted = {container.name for container in plan.containers}
    for container in plan.containers:
        running = observation.containers.get(container.name)
        if running is None:
            yield f"{container.name} is absent"
        elif container.service not in WEB and running.digest != container.digest:
            yield f"{container.name} is not as lab.yml and the release say: run `fab up`"
    for name in sorted(observation.containers.keys() - wanted):
        yield f"{name} should not be there: run `fab up`"


def _modes(observation: Observation) -> list[str]:
    return list(dict.fromkeys(c.mode for c in observation.running if c.mode))


def as_found(topology: Topology, node: str, modes: Collection[str], *, stack: bool) -> Topology:
    """The lab with a node in the one mode in which it was found, if a node can be given that."""
    if stack:
        return topology.with_overlay()
    mode, *others = modes or ("",)
    if mode in of_one_node() and not others and topology.alone(node):
        return topology.with_mode(node, mode)
    return topology


def status(lab: Lab) -> Status:
    """Looks at all nodes at the same time."""
    lab.require_up()
    observations = together({name: partial(_look, lab, name) for name in lab.topology.names})
    release = lab.current_release() if observations[lab.topology.builder] else None
    stack = any(seen.stack for seen in observations.values() if seen)
    plans = {}
    if release:
        for name in lab.topology.names:
            seen = observations[name]
            modes = _modes(seen) if seen else []
            changed = Lab(as_found(lab.topology, name, modes, stack=stack))
            plans[name] = changed.plan(release, name)
    return Status(lab.topology, release, observations, plans)


def _look(lab: Lab, name: str) -> Observation | None:
    try:
        return lab.nodes[name].observe()
    except LabError as error:
        say(name, str(error))
        return None
