"""What runs where, and whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.containers import Plan
from lab.docker import Observation
from lab.errors import LabError
from lab.plan import WEB
from lab.progress import say, together
from lab.releases import Release
from lab.tasks.context import Lab
from lab.topology import Topology


@dataclass(frozen=True, slots=True)
class Status:
    """The lab as it was found. An unreachable node has no observation."""

    topology: Topology
    release: Release | None
    found: dict[str, Observation | None]
    plans: dict[str, Plan]

    @property
    def healthy(self) -> bool:
        return self.release is not None and not self.troubles()

    def troubles(self) -> list[str]:
        """What is not as it should be, a line each."""
        return [line for node in self.topology.names for line in self._troubles_of(node)]

    def _troubles_of(self, node: str) -> list[str]:
        found = self.found[node]
        if found is None:
            return [f"{node}: no answer"]
        running = found.containers.values()
        lines = [f"{node}: {c.name} is {c.state}, {c.health}" for c in running if not c.well]
        # A web program may run in another mode than lab.yml's; it has to run in one.
        web = {c.service for c in running}
        for container in self.plans[node].containers if node in self.plans else ():
            here = container.name in found.containers
            if not here and not (container.service in WEB and container.service in web):
                lines.append(f"{node}: {container.name} is absent")
        return lines

    def mode(self, node: str) -> str | None:
        found = self.found[node]
        modes = [c.mode for c in found.containers.values() if c.mode] if found else []
        return ", ".join(dict.fromkeys(modes)) or None

    def as_json(self) -> dict[str, Any]:
        """The object that the README promises."""
        return {
            "release": self.release.name if self.release else "",
            "healthy": self.healthy,
            "nodes": {node: self._node_json(node) for node in self.topology.names},
        }

    def _node_json(self, node: str) -> dict[str, Any]:
        found = self.found[node]
        containers = sorted(found.containers.values(), key=lambda c: c.name) if found else []
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
            planned = ", ".join(dict.fromkeys(s.mode for s in self.topology.web_services_of(node)))
            mode = self.mode(node) or ""
            until = f"  (until the next deploy; lab.yml: {planned})" if mode != planned else ""
            lines.append(f"\n{node}  {self.topology.address(node)}  {mode}{until}")
            for container in self._node_json(node)["containers"]:
                image = container["image"].rsplit("/", 1)[-1]
                health = container["health"] or "-"
                lines.append(
                    f"  {container['name']:<26} {container['state']:<10} {health:<10} {image}"
                )
        lines += ["", *self.troubles()] if not self.healthy else ["", "all is well"]
        return "\n".join(lines)


def status(lab: Lab) -> Status:
    """Looks at all nodes at the same time."""
    lab.require_route()
    found = together({name: partial(_look, lab, name) for name in lab.topology.names})
    release = lab.current_release() if found[lab.topology.builder] else None
    plans = {name: lab.plan(release, name) for name in lab.topology.names} if release else {}
    return Status(lab.topology, release, found, plans)


def _look(lab: Lab, name: str) -> Observation | None:
    try:
        return lab.nodes[name].observe()
    except LabError as error:
        say(name, str(error))
        return None
