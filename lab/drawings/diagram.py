"""From plans to drawings of them: one of each mode, and one of the whole lab.

Pure. All that is drawn stands in the plans (containers, the stack's Compose file, the balancers'
configuration, the firewall's rules): a drawing can't say what a plan does not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import yaml

from lab.config.modes import MODES, OVERLAY, Mode
from lab.config.ports import CASSANDRA_PORT
from lab.config.topology import Topology, TopologyError, WebService
from lab.drawings.records import Box, Drawing, Half, Wiring
from lab.plan import plans
from lab.plan.modes import overlay, web
from lab.plan.records import Container, Mount, Plan, Publication
from lab.plan.site import Site
from lab.release import images


def site(topology: Topology) -> Site:
    """Enough of a site for a drawing: no image need be built, and no secret exists."""
    references = images.references(topology.registry, dict.fromkeys(images.IMAGES, "TAG"))
    return Site(topology, references, defaultdict(str), "drawn")


def drawings(topology: Topology) -> Iterator[tuple[str, Drawing | str]]:
    """Each drawing's name, and the drawing or why there is none: every mode, then the whole lab."""
    for mode in MODES.values():
        of = chosen(topology, mode)
        yield mode.name, of if isinstance(of, str) else drawing(mode.name, site(of[0]), of[1:])
    yield OVERLAY, _overlay(topology)
    yield "lab", drawing("the whole lab", site(topology), topology.web, whole=True)


def chosen(topology: Topology, mode: Mode) -> tuple[Topology, WebService] | str:
    """The lab with a web service in a mode, and that service; or why there is none.

    A mode of one node on the first node that has a web service to itself.
    """
    if mode.apart:
        known = [service for service in topology.web if service.mode == mode.name]
        return (topology, known[0]) if known else f"lab.yml has no web service in {mode.name}"
    alone = [service for service in topology.web if service.django == service.nginx]
    if not alone:
        return "lab.yml has no web service that has its node to itself"
    changed = topology.with_mode(alone[0].django, mode.name)
    return changed, changed.alone(alone[0].django)[0]


def _overlay(topology: Topology) -> Drawing | str:
    try:
        return drawing(OVERLAY, site(topology.with_overlay()))
    except TopologyError as error:
        return str(error)


def drawing(
    title: str, site: Site, services: tuple[WebService, ...] = (), *, whole: bool = False
) -> Drawing:
    """Some web services of a site, or its stack. whole: with everything else on the nodes."""
    wirings = (
        (stack(site),)
        if site.topology.overlay
        else tuple(wiring(site, service) for service in services)
    )
    first = wirings[0].back or wirings[0].fronts[0]
    return Drawing(
        title,
        Box("HAProxy", (*_binds(site), f"on {' or '.join(_running(site, 'haproxy'))}")),
        wirings,
        _databases(site, dict(first.container.environment)),
        _others(site) if whole else (),
    )


def wiring(site: Site, service: WebService) -> Wiring:
    mode = MODES[service.mode]
    front = _half(site, service.nginx, web.name(mode.front, mode.name))
    if mode.back == mode.front:
        return Wiring((front,), None)
    return Wiring((front,), _half(site, service.django, web.name(mode.back, mode.name)))


def _half(site: Site, node: str, name: str) -> Half:
    whole = plans.plan(site, node)
    place = Box(node, (site.topology.address(node),))
    found = {container.name: container for container in whole.containers}
    own = found[name]
    network = found[own.joined or name]
    entries = _entries(site, network)
    return Half(place, _network(network.network), own, _box(site, whole, own), entries)


def _network(name: str, kind: str = "user-defined") -> str:
    known = {"bridge": "Docker's default bridge", "host": "the node's own network"}
    return known.get(name, f"{kind} network {name}")


def _box(site: Site, whole: Plan, container: Container, *lines: str) -> Box:
    image = container.image.rsplit("/", 1)[-1].split(":")[0]
    published = (line for p in container.publications for line in _published(site, whole, p))
    none = f"ports of {container.joined}" if container.joined else "no port published"
    ports = tuple(published) or (none,)
    return Box(container.name, (f"image {image}{_parts(image)}", *lines, *ports))


def _parts(image: str) -> str:
    """The images that one of several programs is put together from."""
    folders = (source.removeprefix("images/") for source in images.IMAGES[image].sources)
    others = [name for name in folders if name in images.IMAGES and name != image]
    return f": {' and '.join(others)}" if others else ""


def _published(site: Site, whole: Plan, publication: Publication) -> Iterator[str]:
    """The port, and whom the node's firewall lets in if not everybody."""
    yield f"port {publication.address}:{publication.port}"
    names = dict(
        zip(site.topology.addresses(site.topology.names), site.topology.names, strict=True)
    )
    (rules,) = (file.content for file in whole.files if file.path == plans.FIREWALL_FILE)
    for ports, peers, _ in (line.split() for line in rules.splitlines()):
        if str(publication.port) in ports.split(","):
            yield f"open to {', '.join(names[peer] for peer in peers.split(','))} alone"


def stack(site: Site) -> Wiring:
    """The stack's two services as if they were containers: nginx on its nodes, Django anywhere."""
    document = yaml.safe_load(overlay.compose_file(site))
    topology = site.topology

    def half(node: str, place: Box, name: str) -> Half:
        record, lines = _service(site, node, name, document["services"][name])
        box = _box(site, plans.plan(site, node), record, *lines)
        network = _network(record.network, document["networks"][record.network]["driver"])
        return Half(place, network, record, box, _entries(site, record))

    fronts = tuple(
        half(name, Box(name, (topology.address(name),)), "nginx") for name in topology.nginx_nodes
    )
    return Wiring(fronts, half(topology.names[0], Box("any node", ("Swarm chooses",)), "django"))


def _service(
    site: Site, node: str, name: str, said: dict[str, Any]
) -> tuple[Container, tuple[str, ...]]:
    replicas = said["deploy"].get("replicas")
    address = site.topology.address(node)
    record = Container(
        name=f"{overlay.STACK}_{name}",
        service=name,
        image=said["image"],
        limit=getattr(site.topology.limits, name),
        mode=OVERLAY,
        network=said["networks"][0],
        environment=tuple(said["environment"].items()),
        publications=tuple(Publication(address, p["published"]) for p in said.get("ports", ())),
        mounts=tuple(_mount(volume) for volume in said["volumes"] if isinstance(volume, str)),
    )
    return record, (f"{replicas} tasks" if replicas else "one task",)


def _mount(volume: str) -> Mount:
    source, target, *options = volume.split(":")
    return Mount(source, target, writable="ro" not in options)


def _configurations(site: Site) -> dict[str, str]:
    """The balancers' files, name to content; but for an own address they are the same on both."""
    node = site.topology.settings.balancers[0]
    (haproxy,) = (c for c in plans.plan(site, node).containers if c.service == "haproxy")
    return {file.path.rsplit("/", 1)[-1]: file.content for file in haproxy.reads}


def _binds(site: Site) -> tuple[str, ...]:
    """Where the web's clients come in: what both balancers bind."""
    virtual = re.escape(site.topology.virtual_address)
    section = _configurations(site)["web.cfg"].split("frontend web\n")[1].split("\nbackend")[0]
    return tuple(re.findall(rf"bind ({virtual}:\d+)$", section, re.MULTILINE))


def _entries(site: Site, container: Container) -> tuple[int, ...]:
    """The container's ports that the balancers lead to."""
    servers = set(re.findall(r"server \S+ (\S+:\d+)", _configurations(site)["web.cfg"]))
    return tuple(p.port for p in container.publications if f"{p.address}:{p.port}" in servers)


def _running(site: Site, service: str) -> tuple[str, ...]:
    """The nodes that run a program."""
    names = site.topology.names
    return tuple(name for name in names if service in plans.plan(site, name).services)


def _databases(site: Site, told: dict[str, Any]) -> tuple[Box, ...]:
    """As Django is told of them."""
    host, write, read = (told[f"APP_MYSQL_{key}"] for key in ("HOST", "WRITE_PORT", "READ_PORT"))
    bound = f"bind {host}:{write}\n" in _configurations(site)["mysql.cfg"]
    servers = ", ".join(_running(site, "mysql"))
    first = (f"{address}:{CASSANDRA_PORT}" for address in told["APP_CASSANDRA_NODES"].split(","))
    return (
        Box(
            "MySQL",
            (
                host,
                f"{write} writes, {read} reads",
                f"{'HAProxy to ' if bound else 'on '}{servers}",
            ),
        ),
        Box("Cassandra", (*first, f"on {', '.join(_running(site, 'cassandra'))}")),
    )


def _others(site: Site) -> tuple[Box, ...]:
    def box(name: str) -> Box:
        containers = plans.plan(site, name).containers
        return Box(name, tuple(c.name for c in containers if c.service not in web.SERVICES))

    return tuple(box(name) for name in site.topology.names)
