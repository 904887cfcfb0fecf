"""A node without a machine: the real lab.engine.ssh.Node over a simulated Docker.

Everything that Node does is the real code but for the connection: what would go over SSH is kept
in the journal and then changes what the next observation says. Observations have the shape of one
that was recorded (tests/unit/observed).
"""

import hashlib
import io
import json
import shlex
import tarfile
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from lab.databases import once
from lab.deploy import building, static
from lab.engine import memory, steps
from lab.engine.apply import FOLLOW
from lab.engine.ssh import CHANGING, FRESH, UNPACK, Node
from lab.plan.modes import web

OBSERVED = Path(__file__).parent / "observed"
RECORDED = json.loads((OBSERVED / "lab-observe.json").read_text())["containers"][0]
NETWORK = RECORDED["NetworkSettings"]["Networks"]["bridge"]
# Those of provision/node/lab_node/observe.py.
FOLDERS = (
    "/etc/lab/secrets/*",
    "/etc/lab/haproxy",
    "/etc/lab/keepalived",
    "/etc/lab/release",
    "/etc/lab/stack",
    "/etc/docker/certs.d/*",
    "/home/dock/static_files",
)
# Where the nginx of separate-hosts has static files.
STATIC_FOLDER = FOLDERS[-1]
# Options of `docker run` that have no value.
FLAGS = ("--detach", "--read-only", "--rm", "--quiet")
FRONTS = ("nginx", "allinone")
# Observations until a container that was started is healthy.
LOOKS = 2


class Refused(Exception):
    """A command that ends with 1, and what it says."""


@dataclass(frozen=True)
class Entry:
    """A command that somebody gave on a node, and its standard input."""

    node: str
    argv: tuple[str, ...]
    given: str = ""


@dataclass
class Standing:
    """A container. uwsgi: where its nginx finds Django; looks: observations until it is healthy."""

    name: str
    image: str
    labels: dict[str, str]
    network: str = "bridge"
    address: str = ""
    uwsgi: str = ""
    running: bool = True
    looks: float = 0
    serial: int = 0

    @property
    def service(self):
        return self.labels["lab.service"]

    @property
    def well(self):
        return self.running and self.looks <= 0

    def inspected(self):
        """As `docker inspect` has it: a recorded container with this one's own values."""
        health = {"Status": "healthy" if self.well else "starting"}
        status = {"Status": "running" if self.running else "exited", "Running": self.running}
        networks = {self.network: NETWORK | {"IPAddress": self.address}}
        return RECORDED | {
            "Name": f"/{self.name}",
            "Config": RECORDED["Config"] | {"Image": self.image, "Labels": self.labels},
            "State": RECORDED["State"] | status | {"Health": health},
            "NetworkSettings": RECORDED["NetworkSettings"] | {"Networks": networks},
        }


class FakeNode(Node):
    """Node but for its connection."""

    def __init__(self, machine):
        self.name, self.machine, self.changing = machine.name, machine, Lock()

    @property
    def user(self):
        return "vagrant"

    def close(self):
        """There is no connection."""

    def attempt(self, *argv):
        return self.machine.act(argv, "")

    def feed(self, given, *argv):
        return self._checked(argv, self.machine.act(argv, given))


@dataclass
class Machine:
    """What is on a node. world: all that it shares with the others (fake_lab.World).

    static_sets: in its volume; rsynced: in the folder that nginx has without one.
    """

    name: str
    world: Any
    containers: dict[str, Standing] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    networks: set[str] = field(default_factory=set)
    volumes: dict[str, bool] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    static_sets: set[str] = field(default_factory=set)
    rsynced: set[str] = field(default_factory=set)
    _serial: count = field(default_factory=lambda: count(2))

    def act(self, argv, given):
        """Exit status, standard output and standard error of a command, after it had its effect."""
        with self.world.lock:
            argv = argv[len(CHANGING) :] if argv[: len(CHANGING)] == CHANGING else argv
            shown = given if isinstance(given, str) else ""
            self.world.journal.append(Entry(self.name, argv, shown))
            try:
                return 0, self._handler(argv)(self, argv, given) or "", ""
            except Refused as refusal:
                return 1, "", f"{refusal}\n"

    def _handler(self, argv):
        if argv[0].startswith(steps.ADDRESSED):
            return Machine._addressed
        for length in range(min(3, len(argv)), 0, -1):
            if handler := HANDLERS.get(argv[:length]):
                return handler
        raise AssertionError(f"{self.name}: nobody expects {shlex.join(argv)}")

    def front(self):
        """The container that has port 80."""
        return next((c for c in self.containers.values() if c.service in FRONTS), None)

    def django(self, front):
        """The Django behind a front of this node, or of another one."""
        host = front.uwsgi.split(":")[0]
        there = (c for c in self.containers.values() if c.service in ("django", "allinone"))
        mode = front.labels["lab.mode"]
        found = next((c for c in there if c.labels["lab.mode"] == mode), None)
        # On the default bridge it is found by the address that it had when nginx was started.
        stale = found and host.startswith("10.199.") and host != found.address
        return None if stale else found

    def runs(self, service):
        return any(c.service == service and c.running for c in self.containers.values())

    # What the lab asks.

    def _observe(self, argv, _given):
        for standing in self.containers.values():
            standing.looks -= 1
            if standing.looks == 0 and standing.running:
                self.world.journal.append(Entry(self.name, ("seen", "healthy", standing.name)))
        contents = {path: self.files[path] for path in argv[1:] if path in self.files}
        answer = {
            "containers": [
                *(standing.inspected() for standing in self.containers.values()),
                *(task.inspected() for task in self.world.swarm.observed_tasks(self)),
            ],
            "stack": self.world.swarm.services(self),
            "networks": sorted(self.networks),
            "volumes": sorted(self.volumes),
            "disposable_volumes": sorted(n for n, disposable in self.volumes.items() if disposable),
            "images": sorted(self.images),
            "folders": sorted(self._lab_folders()),
            "files": {p: hashlib.sha256(c.encode()).hexdigest() for p, c in contents.items()},
        }
        return json.dumps(answer)

    def _lab_folders(self):
        there = {str(PurePosixPath(path).parent) for path in self.files} | self.folders
        return {f for f in there if any(fnmatchcase(f, pattern) for pattern in FOLDERS)}

    def _nothing(self, _argv, _given):
        """It changes nothing here, and says nothing."""

    def _cat(self, argv, _given):
        if argv[1] not in self.files:
            raise Refused(f"cat: {argv[1]}: No such file or directory")
        return self.files[argv[1]]

    def _ls(self, argv, _given):
        there = (PurePosixPath(path) for path in self.files)
        return "\n".join(path.name for path in there if str(path.parent) == argv[1])

    def _test(self, argv, _given):
        pushed = argv[2] == building.PUSHED and self.world.registry.pushed
        if argv[2] not in self.files and not pushed:
            raise Refused("")

    def _complete(self, argv, _given):
        if argv[4] not in self.static_sets:
            raise Refused("")

    def _address(self, _argv, _given):
        """As it was recorded on the holder, with this node's own address."""
        text = (OBSERVED / "ip-address.txt").read_text()
        own = text.replace("192.168.56.14/", f"{self.world.topology.address(self.name)}/")
        if self.world.holder() == self.name:
            return own
        return "".join(line for line in own.splitlines(True) if "secondary" not in line)

    def _logs(self, argv, _given):
        return f"the log of {argv[-1]}\n"

    def _curl(self, argv, given):
        if lists := [word for word in argv if word.endswith("/tags/list")]:
            return "\n".join(self.world.registry.tags_list(one.split("/")[-3]) for one in lists)
        if argv[-1].endswith("/swarm/join"):
            return self.world.swarm.join(self, json.loads(given)["JoinToken"])
        if not self.runs("haproxy"):
            raise Refused("")
        return ""

    # What changes it.

    def _unpack(self, argv, given):
        with tarfile.open(fileobj=io.BytesIO(given)) as archive:
            for path in argv[4:]:
                content = archive.extractfile(path.lstrip("/") + FRESH)
                self.files[path] = content.read().decode()

    def _append(self, argv, given):
        self.files[argv[2]] = self.files.get(argv[2], "") + given

    def _remove(self, argv, _given):
        for path in argv[2:]:
            self.files = {p: c for p, c in self.files.items() if p != path}

    def _remove_folder(self, argv, _given):
        self.files = {p: c for p, c in self.files.items() if not p.startswith(f"{argv[3]}/")}
        self.folders.discard(argv[3])
        if argv[3] == STATIC_FOLDER:
            self.rsynced.clear()

    def _pull(self, argv, _given):
        self.world.registry.require(argv[-1])
        self.images.add(argv[-1])

    def _run(self, argv, _given):
        options, rest = run_options(argv[2:])
        if "--rm" in argv:
            return self._publish_static(*rest)
        (name,), (network,) = options["--name"], options["--network"]
        if name in self.containers:
            raise Refused(f"Conflict. The container name {name!r} is already in use")
        if rest[0] not in self.images:
            self._pull(rest[:1], "")
        if network not in ("bridge", "host") and network not in self.networks:
            raise Refused(f"network {network} not found")
        labels = dict(label.split("=", 1) for label in options["--label"])
        if labels["lab.service"] in FRONTS and (self.front() or self.world.swarm.nginx(self)):
            raise Refused("Bind for 0.0.0.0:80 failed: port is already allocated")
        serial = next(self._serial)
        address = f"10.199.0.{serial}" if network == "bridge" else ""
        looks = self.world.looks(self.name, rest[0])
        uwsgi = next((v[10:] for v in options.get("--env", ()) if v.startswith("UWSGI_URI=")), "")
        made = Standing(name, rest[0], labels, network, address, uwsgi, True, looks, serial)
        self.containers[name] = made
        if name == "haproxy":
            self.world.haproxy[self.name].start(self)
        return None

    def _publish_static(self, image, name, *serving):
        self.world.registry.require(image)
        laid = set() if self.name in self.world.without_files else {name}
        self.static_sets = laid | (self.static_sets & set(serving))
        return "\n".join(self.world.lacking)

    def _addressed(self, argv, _given):
        """The script that was put there: its last line is the command."""
        name = PurePosixPath(argv[0]).name
        script = self.files[argv[0]]
        command = tuple(shlex.split(script.strip().splitlines()[-1]))
        others = (c for c in self.containers.values() if c.name != name)
        told = next(c for c in others if f"' {c.name} 2>" in script)
        there = self.containers.get(name)
        if there and there.labels.get("lab.address") == told.address:
            return
        self.containers.pop(name, None)
        self._run(tuple(word.replace("$address", told.address) for word in command), "")

    def _stop(self, argv, _given):
        if argv[2] not in self.containers:
            raise Refused(f"No such container: {argv[2]}")
        self.containers[argv[2]].running = False
        self.world.mind_the_address()

    def _rm(self, argv, _given):
        self.containers.pop(argv[3], None)

    def _exec(self, argv, given):
        words = [word for word in argv[2:] if not word.startswith("--")]
        if not self.runs(words[0]):
            raise Refused(f"container {words[0]} is not running")
        if words == ["haproxy", "reload-configuration.sh"]:
            self.world.haproxy[self.name].load(self)
        return ""

    def _ask_haproxy(self, _argv, given):
        if not self.runs("haproxy"):
            raise Refused("container haproxy is not running")
        return self.world.haproxy[self.name].told(given)

    def _restart(self, argv, _given):
        for name in argv[2:]:
            self.containers[name].looks = LOOKS

    def _ps(self, argv, _given):
        network = argv[-1].removeprefix("network=")
        return " ".join(c.name for c in self.containers.values() if c.network == network)

    def _create_network(self, argv, _given):
        self.networks.add(argv[-1])

    def _remove_network(self, argv, _given):
        self.networks.discard(argv[-1])

    def _create_volume(self, argv, _given):
        self.volumes[argv[-1]] = "lab.disposable=yes" in argv

    def _remove_volume(self, argv, _given):
        del self.volumes[argv[-1]]
        if argv[-1] == web.STATIC_VOLUME.name:
            self.static_sets.clear()

    def _remove_image(self, argv, _given):
        self.images.discard(argv[-1])

    def _once(self, argv, _given):
        image = next(word for word in argv if "/webapp_django:" in word)
        self.world.registry.require(image)
        return self.world.manage(argv[argv.index("manage.py") + 1])

    # What is the builder's, or shared: the world knows.

    def _build(self, argv, _given):
        self.world.registry.built.add(argv[1])

    def _built(self, argv, _given):
        if argv[3] == "image":
            return "\n".join(self.world.registry.built)
        self.world.registry.push(argv[-1])
        return ""

    def _hand_over(self, argv, _given):
        self.images.add(argv[1])

    def _give_address(self, _argv, _given):
        self.world.move_address(self.name)

    def _info(self, argv, _given):
        state = "active" if self.name in self.world.swarm.members else "inactive"
        return state if "State" in argv[-1] else self.world.swarm.members.get(self.name, "")

    def _swarm(self, argv, given):
        return self.world.swarm.told(self, argv, given)


def run_options(words):
    """Of `docker run`: option to values, and what comes after them."""
    options: dict[str, list[str]] = {}
    at = 0
    while words[at].startswith("--"):
        if words[at] in FLAGS:
            at += 1
            continue
        options.setdefault(words[at], []).append(words[at + 1])
        at += 2
    return options, words[at:]


HANDLERS = {
    ("lab-observe",): Machine._observe,
    FOLLOW: Machine._nothing,
    ("lab-build",): Machine._build,
    ("lab-hand-over",): Machine._hand_over,
    ("lab-give-address",): Machine._give_address,
    ("lab-haproxy",): Machine._ask_haproxy,
    ("systemctl",): Machine._nothing,
    ("install",): Machine._nothing,
    ("ss",): Machine._nothing,
    ("cat",): Machine._cat,
    ("ls",): Machine._ls,
    ("test",): Machine._test,
    ("tee",): Machine._append,
    ("rm", "--force"): Machine._remove,
    ("rm", "--recursive", "--force"): Machine._remove_folder,
    ("ip",): Machine._address,
    ("curl",): Machine._curl,
    ("sh", "-c", UNPACK): Machine._unpack,
    ("sh", "-c", static.COMPLETE): Machine._complete,
    ("bash", "-c", memory.LOOK): Machine._nothing,
    ("bash", "-c", once.RUN): Machine._once,
    ("docker", "pull"): Machine._pull,
    ("docker", "run"): Machine._run,
    ("docker", "stop"): Machine._stop,
    ("docker", "rm"): Machine._rm,
    ("docker", "exec"): Machine._exec,
    ("docker", "logs"): Machine._logs,
    ("docker", "ps"): Machine._ps,
    ("docker", "restart"): Machine._restart,
    ("docker", "network", "create"): Machine._create_network,
    ("docker", "network", "rm"): Machine._remove_network,
    ("docker", "volume", "create"): Machine._create_volume,
    ("docker", "volume", "rm"): Machine._remove_volume,
    ("docker", "image", "rm"): Machine._remove_image,
    ("docker", "--host"): Machine._built,
    ("docker", "info"): Machine._info,
    ("docker", "swarm"): Machine._swarm,
    ("docker", "stack"): Machine._swarm,
    ("docker", "secret"): Machine._swarm,
    ("docker", "node"): Machine._swarm,
    ("docker", "service"): Machine._swarm,
    ("timeout",): Machine._swarm,
}
