"""What a task works with: the topology, the secrets, the nodes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from socket import gethostname

from lab.config import topology
from lab.config.paths import FOLDER, RESTORING, SSH_CONFIG
from lab.config.topology import Topology
from lab.engine.progress import interrupt, say, together
from lab.engine.ssh import Node
from lab.errors import LabError, user
from lab.hosts import kept
from lab.machines import ownership, ssh_settings
from lab.plan import plans
from lab.plan.modes import overlay
from lab.plan.records import Plan
from lab.plan.site import Site
from lab.release import images, releases
from lab.release.releases import Release
from lab.secrets import secrets

# Tasks that may change a lab whose data are not all there: one ends that, one leaves them alone.
BESIDE_A_HALF_RESTORE = ("restore", "verify-backup")


NO_RELEASE = "no release is on all web nodes yet: run `fab deploy`"

# What of this folder leads to the nodes.
WAY = (FOLDER / ".lab", SSH_CONFIG, FOLDER / ".lab" / "login_key", secrets.SECRETS)


def _require_readable() -> None:
    """Raises PermissionError for another user than the lab's, before a node seems not to answer."""
    for path in WAY:
        with suppress(FileNotFoundError):
            os.close(os.open(path, os.O_RDONLY))


@dataclass
class Lab:
    """The lab as lab.yml describes it, and the way to its nodes."""

    topology: Topology = field(default_factory=topology.load)

    @cached_property
    def secrets(self) -> dict[str, str]:
        return secrets.load(self.topology)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        self.require_up()
        return {name: Node(name) for name in self.topology.names}

    def reconnect(self) -> None:
        """Other connections from now on: the machines, or the way to them, have changed."""
        for node in self.__dict__.pop("nodes", {}).values():
            node.close()

    def require_up(self) -> None:
        """Raises LabError unless this folder's lab is up: its network is this machine's neighbour.

        While no lab is up, its addresses would be looked for beyond the default route, where
        something might even answer.
        """
        if self.topology.own_hosts:
            _require_readable()
            kept.require_up(self.topology)
            return
        ownership.require_own(self.topology.name)
        self._require_known()
        command = ("ip", "-4", "route", "get", self.topology.virtual_address)
        try:
            route = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise LabError("ip: not found: run `make up`, which installs it (iproute2)") from None
        if route.returncode != 0 or " via " in route.stdout:
            raise LabError(f"the lab '{self.topology.name}' is not up: {ssh_settings.WAY}")
        _require_readable()
        if due := ssh_settings.due():
            say("lab", f"vagrant ssh-config {' '.join(due)}")
            ssh_settings.renew(due)
        ssh_settings.require_some(self.topology.name)

    def _require_known(self) -> None:
        """Raises LabError where nothing here leads to the nodes, and Docker, which would know
        whether they are another folder's, does not answer.

        With a way to them the nodes answer themselves: who may not use Docker may use the lab.
        """
        if SSH_CONFIG.exists() or ssh_settings.virtual():
            return
        if why := ownership.unanswered():
            raise LabError(
                f"the lab '{self.topology.name}' is not up from here, and whether another folder"
                f" has it can't be told: Docker does not answer ({why}):"
                " run `make up`, which says what to do"
            )

    @contextmanager
    def changing(self, task: str, lost: Callable[[], None] | None = None) -> Iterator[None]:
        """Nobody else changes this lab meanwhile. Raises LabError naming who does already.

        lost: what is done if the builder, which keeps the lock, goes down meanwhile; as a rule
        nothing more begins.
        """
        gone = f"{self.topology.builder}, which keeps the lab's lock, went away"
        lost = lost or partial(interrupt, gone)
        who = f"{user(os.getuid())} on {gethostname()}"
        self.require_up()
        # A connection of its own, which outlives `reconnect`.
        keeper = Node(self.topology.builder)
        with closing(keeper), keeper.holding("lab-lock", f"fab {task}", who, lost=lost):
            # What a killed task had begun on a node goes on there until it is done.
            together({name: node.wait_unchanging for name, node in self.nodes.items()})
            if task not in BESIDE_A_HALF_RESTORE and (half := self.half_restored()):
                raise LabError(
                    f"a restore of backup {half} was cut off, and the data are not all there:"
                    " run `fab restore` again, of this backup or another one"
                )
            yield

    def half_restored(self) -> str:
        """The backup whose restore was begun and not ended, if any."""
        status, name, _ = self.builder.attempt("cat", RESTORING)
        return name.strip() if status == 0 else ""

    @property
    def builder(self) -> Node:
        return self.nodes[self.topology.builder]

    def site(self, release: Release) -> Site:
        references = images.references(self.topology.registry, release.tags)
        return Site(self.topology, references, self.secrets, release.name)

    def plan(self, release: Release, node: str) -> Plan:
        return plans.plan(self.site(release), node)

    def wanted_tags(self, release: Release) -> dict[str, str]:
        """Of the release's images, name to tag, those that some plan wants, and what brings the
        databases to it."""
        wanted = {
            image for node in self.topology.names for image in self.plan(release, node).images
        }
        references = self.site(release).images
        others = {"webapp_django", *(overlay.IMAGES if self.topology.overlay else ())}
        return {
            name: tag
            for name, tag in release.tags.items()
            if references[name] in wanted or name in others
        }

    def current_release(self) -> Release | None:
        """The release that serves, if there is one that this version of the lab understands."""
        status, record, _ = self.builder.attempt("cat", releases.CURRENT)
        return releases.understood(record) if status == 0 else None

    def require_release(self) -> Release:
        """The current release. Raises LabError if there is none yet."""
        release = self.current_release()
        if release is None:
            raise LabError(NO_RELEASE)
        return release

    def as_of(self, release: Release) -> Lab:
        """This lab with the web wired as it was when a release was made."""
        if not release.web:
            return self
        changed = Lab(self.topology.with_web(release.web, release.limits))
        # The same machines, reached by the same connections.
        changed.__dict__["nodes"] = self.nodes
        return changed
