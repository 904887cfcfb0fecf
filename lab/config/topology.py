"""What lab.yml says, as frozen records, validated once.

Knows lab.yml's keys, what they may hold, and which combinations contradict each other. Knows
nothing of containers, images or SSH. Every mistake is reported at once, one line each, naming the
key, the value and what would be right.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.config import origins, plain_yaml
from lab.config.modes import MODES, OVERLAY, PROGRAMS, ModeName, of_one_node
from lab.config.paths import FOLDER
from lab.config.ports import REGISTRY_PORT, STATISTICS_PORT, UWSGI_PORT, WEB_PORT
from lab.errors import LabError

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# Docker's networks inside a node (provision/node/etc/docker/daemon.json).
DOCKER_POOL = IPv4Network("10.199.0.0/16")

# What a text is that has a pattern.
PATTERNS = {
    "machines.box": "a box's name",
    "machines.version": "a box's version",
    "registry.address": "HOST:PORT",
    "ssh": "USER@ADDRESS, such as admin@192.168.56.11",
}
# Hosts that are there already, reached by SSH. All other providers are Vagrant's.
OWN_HOSTS = "ssh"

# As a host's name, and short enough for the names that are made with it.
NodeName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")]
# Every machine's own, whatever its /etc/hosts says.
NOT_NODES = re.compile(r"localhost|broadcasthost|ip6-.*")
# As Vagrant's catalogue has them: of somebody, or one of this machine's.
BOX = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"
# MiB: 16 TiB, more than a machine has.
MOST_MEMORY = 2**24
LOGIN = r"^[a-z_][a-z0-9_.-]{0,31}@[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$"
HostNumber = Annotated[int, Field(ge=2, le=254)]
LabName = re.compile(r"[a-z][a-z0-9-]{0,19}")
# Networks that Docker makes itself.
NOT_LABS = ("bridge", "default", "host", "none")


class TopologyError(LabError):
    """Mistakes in lab.yml or the environment: one line each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Record(BaseModel):
    """A frozen record that knows its keys: an unknown one is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NodeSettings(Record):
    """One machine. host: last octet of its address; memory: MiB.

    Of a host of one's own how to reach it: ssh: USER@ADDRESS; port; key: the private key's file,
    without which those are tried that ssh itself finds.
    """

    host: HostNumber
    memory: Annotated[int, Field(ge=1024, le=MOST_MEMORY)]
    ssh: Annotated[str, Field(pattern=LOGIN)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    key: Annotated[str, Field(min_length=1)] | None = None


class MachineSettings(Record):
    """What the virtual machines are made of, where lab.yml says it. cpus: cores of each.

    Without a box it is one of provision/virtual.rb's, without a version the newest.
    provider: OWN_HOSTS, or else what the environment asks for, or what works.
    """

    provider: Literal["ssh"] | None = None
    box: Annotated[str, Field(pattern=BOX)] | None = None
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.-]{0,31}$")] | None = None
    cpus: Annotated[int, Field(ge=1, le=64)] | None = None


class WebService(Record):
    """One Django and one nginx, wired as the mode says."""

    mode: ModeName
    django: str
    nginx: str


class Limit(Record):
    """What one container may use.

    cpus: cores; memory: MiB, swap included; pids: processes and threads; write: MiB/s to disk.
    """

    # Docker takes no smaller share.
    cpus: Annotated[float, Field(ge=0.01, le=1024, strict=False)]
    memory: Annotated[int, Field(ge=16, le=MOST_MEMORY)]
    pids: Annotated[int, Field(ge=8)]
    write: Annotated[int, Field(ge=1)]


class Limits(Record):
    """The limits of each program's containers."""

    django: Limit
    nginx: Limit
    allinone: Limit
    haproxy: Limit
    keepalived: Limit
    mysql: Limit
    cassandra: Limit
    registry: Limit


class OtherRegistry(Record):
    """A registry that is not the lab's own. ca: file with its certificate authority, or none."""

    address: Annotated[str, Field(pattern=r"^[a-z0-9.-]+:[0-9]+$")]
    ca: str | None = None


class Settings(Record):
    """lab.yml as it is written."""

    subnet: str
    virtual_host: HostNumber
    nodes: Annotated[dict[NodeName, NodeSettings], Field(min_length=1)]
    machines: MachineSettings | None = None
    builder: str
    mysql: Annotated[tuple[str, ...], Field(strict=False)]
    cassandra: Annotated[tuple[str, ...], Field(strict=False)]
    balancers: Annotated[tuple[str, ...], Field(strict=False)]
    web: Annotated[tuple[WebService, ...], Field(strict=False, min_length=1)]
    limits: Limits
    registry: OtherRegistry | None = None
    origins: Annotated[tuple[str, ...], Field(strict=False)] = ()


class NodeDefinition(Record):
    """A machine as the whole lab knows it. memory: MiB."""

    name: str
    address: str
    memory: int


class Listener(Record):
    """Who listens where, as seen from the lab's network."""

    address: str
    port: int
    who: str


class Topology(Record):
    """The whole lab: who it is, its machines, and what runs where."""

    name: str
    subnet: IPv4Network
    settings: Settings
    # The web as a Swarm stack, until the next deploy, instead of lab.yml's services.
    overlay: bool = False

    @property
    def nodes(self) -> tuple[NodeDefinition, ...]:
        return tuple(
            NodeDefinition(name=name, address=self._address(node.host), memory=node.memory)
            for name, node in self.settings.nodes.items()
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.settings.nodes)

    @property
    def own_hosts(self) -> bool:
        """Whether the nodes are hosts that were there before, and not Vagrant's machines."""
        machines = self.settings.machines
        return machines is not None and machines.provider == OWN_HOSTS

    @property
    def virtual_address(self) -> str:
        return self._address(self.settings.virtual_host)

    @property
    def web(self) -> tuple[WebService, ...]:
        return () if self.overlay else self.settings.web

    @property
    def nginx_nodes(self) -> tuple[str, ...]:
        """The nodes whose port 80 is nginx's."""
        if self.overlay:
            return tuple(name for name in self.names if name not in self.settings.balancers)
        return tuple(service.nginx for service in self.web)

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    @property
    def web_limits(self) -> dict[str, Limit]:
        """The limits of the web services' containers."""
        return {name: getattr(self.limits, name) for name in PROGRAMS}

    @property
    def builder(self) -> str:
        return self.settings.builder

    @property
    def registry(self) -> str:
        """HOST:PORT that images are named by, pushed to and pulled from."""
        other = self.settings.registry
        return other.address if other else f"{self.builder}:{REGISTRY_PORT}"

    @property
    def web_nodes(self) -> tuple[str, ...]:
        """The nodes that run Django or nginx, in lab.yml's order, each once."""
        both = (node for service in self.web for node in (service.django, service.nginx))
        return tuple(dict.fromkeys(both))

    def address(self, node: str) -> str:
        return self._address(self.host_number(node))

    def host_number(self, node: str) -> int:
        """The last octet of the node's address."""
        return self.settings.nodes[node].host

    def addresses(self, nodes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.address(node) for node in nodes)

    def _address(self, host: int) -> str:
        return str(IPv4Address(int(self.subnet.network_address) + host))

    def web_services_of(self, node: str) -> tuple[WebService, ...]:
        return tuple(service for service in self.web if node in (service.django, service.nginx))

    def alone(self, node: str) -> tuple[WebService, ...]:
        """The web services that have the node to themselves."""
        return tuple(s for s in self.web_services_of(node) if s.django == s.nginx)

    def with_mode(self, node: str, mode: str) -> Topology:
        """This lab with the web service of one node in another mode.

        Raises TopologyError if it is no mode of one node, or the node runs no web service alone.
        """
        if mode not in of_one_node():
            known = ", ".join(of_one_node())
            raise TopologyError([f"--mode: {mode!r} is no mode of one node; those are {known}"])
        alone = self.alone(node)
        if not alone:
            able = ", ".join(s.django for s in self.web if s.django == s.nginx)
            raise TopologyError(
                [f"--mode: {node} runs no web service alone; those that do: {able}"]
            )
        changed = WebService(mode=mode, django=node, nginx=node)
        web = tuple(changed if service in alone else service for service in self.web)
        settings = self.settings.model_copy(update={"web": web})
        return self.model_copy(update={"settings": settings})

    def with_web(self, web: tuple[WebService, ...], limits: Mapping[str, Limit]) -> Topology:
        """This lab with other web services. Raises TopologyError if it lacks one of their nodes."""
        lacking = [n for s in web for n in (s.django, s.nginx) if n not in self.names]
        if lacking:
            raise TopologyError([f"lab.yml: nodes: {lacking[0]}: missing, and runs a web service"])
        update = {"web": web, "limits": self.limits.model_copy(update=dict(limits))}
        return self.model_copy(update={"settings": self.settings.model_copy(update=update)})

    def with_overlay(self) -> Topology:
        """This lab with its web as a Swarm stack. Raises TopologyError if no node has room."""
        changed = self.model_copy(update={"overlay": True})
        if not changed.nginx_nodes:
            raise TopologyError(
                [f"--mode: {OVERLAY}: every node runs a balancer, which has port 80"]
            )
        return changed

    def listeners(self) -> Iterator[Listener]:
        """Everything that binds an address and port of the lab's network, in lab.yml's order."""
        for rank, node in enumerate(self.settings.balancers):
            address = self.address(node)
            if rank == 0:
                yield Listener(address=address, port=WEB_PORT, who="HAProxy (balancers[0])")
                yield Listener(address=address, port=STATISTICS_PORT, who="HAProxy (balancers[0])")
        for index, service in enumerate(self.web):
            yield Listener(
                address=self.address(service.nginx), port=WEB_PORT, who=f"web[{index}].nginx"
            )
            if MODES[service.mode].apart:
                yield Listener(
                    address=self.address(service.django),
                    port=UWSGI_PORT,
                    who=f"web[{index}].django",
                )


def load(text: str | bytes | None = None, environment: Mapping[str, str] | None = None) -> Topology:
    """The topology that lab.yml and the environment (LAB_NAME, LAB_SUBNET) describe.

    Raises TopologyError with every mistake found.
    """
    environment = os.environ if environment is None else environment
    settings = parse(_read() if text is None else text)
    name = environment.get("LAB_NAME", "lab")
    subnet_key = "LAB_SUBNET" if "LAB_SUBNET" in environment else "lab.yml: subnet"
    subnet_text = environment.get("LAB_SUBNET", settings.subnet)
    mistakes = [*_name_mistakes(name), *_subnet_mistakes(subnet_key, subnet_text)]
    mistakes += _replace_mistakes(environment)
    mistakes += [f"lab.yml: {mistake}" for mistake in _node_mistakes(settings)]
    if not mistakes:
        topology = Topology(name=name, subnet=IPv4Network(subnet_text), settings=settings)
        mistakes = [f"lab.yml: {mistake}" for mistake in _listener_mistakes(topology)]
    if mistakes:
        raise TopologyError(mistakes)
    return topology


def parse(text: str | bytes) -> Settings:
    """lab.yml's keys and types. Raises TopologyError naming each key that is wrong."""
    try:
        document = plain_yaml.load(text.encode() if isinstance(text, str) else text)
    except plain_yaml.NotPlain as error:
        raise TopologyError([f"lab.yml: {mistake}" for mistake in error.mistakes]) from None
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise TopologyError([_explain(mistake) for mistake in error.errors()]) from None


def _read() -> bytes:
    path = FOLDER / "lab.yml"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise TopologyError([f"{path}: missing: restore it with `git checkout lab.yml`"]) from None
    except OSError as error:
        raise TopologyError([f"{path}: can't be read: {error.strerror}"]) from None


def _explain(mistake: Any) -> str:
    key = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake["loc"]
    ).lstrip(".")
    if key == "machines.provider":
        message = (
            f"should be {OWN_HOSTS}, or be left out: VAGRANT_DEFAULT_PROVIDER asks for another"
        )
    else:
        message = mistake["msg"]
    message = re.sub(r"dictionary or instance of \w+", "mapping", message)
    message = message.removeprefix("Input ").replace("valid tuple", "list")
    if not key:
        return "lab.yml: should be a mapping of keys to values, as `git show HEAD:lab.yml` has it"
    if mistake["type"] == "string_pattern_mismatch" and mistake["loc"][-1] == "[key]":
        return (
            f"lab.yml: nodes: {mistake['input']!r} should be a name of up to 32 of a-z, 0-9 and -,"
            " beginning with a letter and not ending with -"
        )
    if mistake["type"] == "string_pattern_mismatch":
        right = PATTERNS.get(key) or PATTERNS[mistake["loc"][-1]]
        return f"lab.yml: {key}: {mistake['input']!r} should be {right}"
    if mistake["type"] == "missing":
        return f"lab.yml: {key}: missing: add it"
    if mistake["type"] == "extra_forbidden":
        return f"lab.yml: {key}: unknown key: remove it or correct its name"
    return f"lab.yml: {key}: {mistake['input']!r} {message}"


def _name_mistakes(name: str) -> Iterator[str]:
    if not LabName.fullmatch(name):
        yield f"LAB_NAME: {name!r} should be up to 20 of a-z, 0-9 and -, the first one a letter"
    if name in NOT_LABS:
        yield f"LAB_NAME: {name!r} is a network of Docker's own: choose another"


def _replace_mistakes(environment: Mapping[str, str]) -> Iterator[str]:
    replace = environment.get("LAB_REPLACE", "yes")
    if replace != "yes":
        yield f"LAB_REPLACE: {replace!r} should be yes, or not set"


def _subnet_mistakes(key: str, text: str) -> Iterator[str]:
    try:
        subnet = IPv4Network(text)
    except ValueError:
        yield f"{key}: {text!r} should be a network such as 192.168.56.0/24"
        return
    # Docker and Vagrant compare it as a text.
    if subnet.prefixlen != 24 or text != str(subnet):
        yield f"{key}: {text!r} should be a /24, such as 192.168.56.0/24"
    if not any(subnet.subnet_of(private) for private in PRIVATE) or subnet.overlaps(DOCKER_POOL):
        yield (
            f"{key}: {text!r} should be within {', '.join(map(str, PRIVATE))}, which are private,"
            f" and outside {DOCKER_POOL}, which Docker inside the nodes uses"
        )


def _node_mistakes(settings: Settings) -> Iterator[str]:
    known = ", ".join(settings.nodes)
    for node in settings.nodes:
        if NOT_NODES.fullmatch(node):
            yield f"nodes: {node!r} is every machine's own name: choose another"
    for key, node in _node_references(settings):
        if node not in settings.nodes:
            yield f"{key}: {node!r} is no node; the nodes are {known}"
    yield from _host_mistakes(settings)
    yield from _own_host_mistakes(settings)
    for key, nodes, least, why in (
        ("mysql", settings.mysql, 3, "a group of three survives the loss of one server"),
        ("cassandra", settings.cassandra, 3, "posts are kept three times"),
        ("balancers", settings.balancers, 2, "one takes over from the other"),
    ):
        if len(set(nodes)) != len(nodes):
            yield f"{key}: {_list(nodes)} should name each node once"
        if len(nodes) < least:
            yield f"{key}: {_list(nodes)} should be at least {least} nodes: {why}"
    if len(settings.balancers) > 2:
        yield f"balancers: {_list(settings.balancers)} should be two nodes: one and its standby"
    yield from _wiring_mistakes(settings)
    yield from _origin_mistakes(settings)


def _node_references(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "builder", settings.builder
    for key in ("mysql", "cassandra", "balancers"):
        for index, node in enumerate(getattr(settings, key)):
            yield f"{key}[{index}]", node
    for index, service in enumerate(settings.web):
        yield f"web[{index}].django", service.django
        yield f"web[{index}].nginx", service.nginx


def _host_mistakes(settings: Settings) -> Iterator[str]:
    owners: dict[int, str] = {settings.virtual_host: "virtual_host"}
    for name, node in settings.nodes.items():
        key = f"nodes.{name}.host"
        if node.host in owners:
            yield f"{key}: {node.host} is {owners[node.host]}'s already: choose another, 2 to 254"
        owners.setdefault(node.host, key)


def _own_host_mistakes(settings: Settings) -> Iterator[str]:
    machines = settings.machines or MachineSettings()
    if machines.provider is None:
        for name, node in settings.nodes.items():
            for key in ("ssh", "port", "key"):
                if getattr(node, key) is not None:
                    yield (
                        f"nodes.{name}.{key}: {getattr(node, key)!r} is for hosts of your own:"
                        f" say so with machines: {{provider: {OWN_HOSTS}}}, or leave it out"
                    )
        return
    for key in ("box", "version", "cpus"):
        if getattr(machines, key) is not None:
            yield (
                f"machines.{key}: {getattr(machines, key)!r} is for machines that are made, and"
                f" with provider: {OWN_HOSTS} none are: leave it out"
            )
    owners: dict[tuple[str, int | None], str] = {}
    for name, node in settings.nodes.items():
        if node.ssh is None:
            yield f"nodes.{name}.ssh: missing: add it, such as ssh: admin@192.168.56.{node.host}"
            continue
        place = (node.ssh.partition("@")[2], node.port)
        if place in owners:
            yield f"nodes.{name}.ssh: {node.ssh!r} is nodes.{owners[place]}'s host already"
        owners.setdefault(place, name)


def _wiring_mistakes(settings: Settings) -> Iterator[str]:
    for index, service in enumerate(settings.web):
        together = service.django == service.nginx
        if MODES[service.mode].apart and together:
            yield (
                f"web[{index}].nginx: {service.nginx!r} should be another node than django's:"
                f" the mode is {service.mode}"
            )
        if not MODES[service.mode].apart and not together:
            yield (
                f"web[{index}].nginx: {service.nginx!r} should be {service.django!r}:"
                f" in {service.mode} both run on one node"
            )


def _origin_mistakes(settings: Settings) -> Iterator[str]:
    for index, origin in enumerate(settings.origins):
        if mistake := origins.mistake(origin):
            yield f"origins[{index}]: {origin!r} {mistake}"


def _listener_mistakes(topology: Topology) -> Iterator[str]:
    taken: dict[tuple[str, int], str] = {}
    for listener in topology.listeners():
        place = (listener.address, listener.port)
        if place in taken:
            yield (
                f"{listener.who}: port {listener.port} of {listener.address} is bound by"
                f" {taken[place]} already: choose another node"
            )
        taken.setdefault(place, listener.who)


def _list(nodes: tuple[str, ...]) -> str:
    return f"[{', '.join(nodes)}]"
