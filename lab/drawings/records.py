"""What a drawing shows, as frozen records: who meets whom, where, and what each one is told.

lab/drawings/diagram.py makes them from plans; how they look is lab/drawings/svg.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.plan.modes import web
from lab.plan.records import AddressOf, Container, Mount, Publication


@dataclass(frozen=True, slots=True)
class Box:
    """Something with a name and what is to be known of it."""

    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Half:
    """A container in its place. node: its name and address; network: as it is called there;
    entries: the ports through which a balancer comes in."""

    node: Box
    network: str
    container: Container
    box: Box
    entries: tuple[int, ...] = ()

    @property
    def static(self) -> Mount | None:
        """Where the container has its static files from."""
        target = web.SHARED_STATIC.target
        return next((m for m in self.container.mounts if m.target.startswith(target)), None)


@dataclass(frozen=True, slots=True)
class Wiring:
    """One web service. back: Django, unless it is in the same container as nginx."""

    fronts: tuple[Half, ...]
    back: Half | None

    @property
    def on_one_node(self) -> bool:
        """Whether one node holds all of it."""
        return self.back is None or {half.node for half in self.fronts} == {self.back.node}

    @property
    def shared(self) -> bool:
        """Whether nginx has its static files from where Django has them."""
        if self.back is None:
            return True
        sources = {half.static and half.static.source for half in (*self.fronts, self.back)}
        return self.on_one_node and len(sources) == 1

    @property
    def tunnel(self) -> bool:
        """Whether one network reaches across nodes."""
        halves = (*self.fronts, *((self.back,) if self.back else ()))
        networks = {half.network for half in halves}
        return len(networks) == 1 and next(iter(networks)).startswith("overlay")

    @property
    def call(self) -> tuple[str, str]:
        """What nginx is told of Django, and how that leads there; empty within one container."""
        told = dict(self.fronts[0].container.environment).get("UWSGI_URI")
        if not (told and self.back):
            return "", ""
        return _call(told, self.fronts[0].container, self.back.container)

    @property
    def copied(self) -> str:
        """How nginx comes to static files that it does not share with Django."""
        source = self.fronts[0].static
        if self.shared or source is None:
            return ""
        return "rsync" if source.source.startswith("/") else "laid by deployments"

    @property
    def socket(self) -> str:
        """The Unix socket that lies in the shared volume, if one does."""
        label, _ = self.call
        name = label.removeprefix(f"unix:{web.SHARED_STATIC.target}/")
        return "" if name == label else name


@dataclass(frozen=True, slots=True)
class Drawing:
    """entry: the balancer; data: the databases; others: nodes and what else runs on them."""

    title: str
    entry: Box
    wirings: tuple[Wiring, ...]
    data: tuple[Box, ...]
    others: tuple[Box, ...] = ()

    @property
    def description(self) -> str:
        return " ".join((f"{self.entry.title}: {', '.join(self.entry.lines)}.", *self._sentences()))

    def _sentences(self) -> Iterator[str]:
        for wiring in self.wirings:
            fronts = " and ".join(f"{h.box.title} on {h.node.title}" for h in wiring.fronts)
            told = f", told {wiring.call[0]}" if wiring.call[0] else ""
            back = f"; {wiring.back.box.title} on {wiring.back.node.title}" if wiring.back else ""
            yield f"{fronts}{told}{back}."
        for box in self.data:
            yield f"{box.title}: {', '.join(box.lines)}."


def _call(told: str | AddressOf, nginx: Container, django: Container) -> tuple[str, str]:
    if isinstance(told, AddressOf):
        return f"{django.service}'s IP:{told.port}", "asked of Docker at each start"
    host, _, rest = told.partition(":")
    if host == "unix":
        return told, "a socket in the shared volume"
    if nginx.joined == django.name:
        return told, "within one network namespace"
    if Publication(host, int(rest)) in django.publications:
        return told, "a port of the other node"
    return told, "every task, by Swarm's DNS" if host.startswith("tasks.") else "by Docker's DNS"
