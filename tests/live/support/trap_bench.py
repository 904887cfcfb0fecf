"""A bench for docs/traps.md: throwaway containers of the lab's own images, beside the lab's own.

Everything on it is named trap-..., is none of the lab's services, and is gone after the test.
"""

import json
import re
import runpy
from dataclasses import replace

from lab.config.paths import FOLDER
from lab.config.ports import UWSGI_PORT
from lab.config.topology import WebService
from lab.engine import steps
from lab.engine.apply import wait_healthy
from lab.engine.observation import Observation, Running
from lab.engine.ssh import wait_until
from lab.plan.modes import web
from lab.plan.records import AddressOf, File, Mount, Plan

NETWORK, VOLUME = "trap-network", "trap-shared"
FILES, STATIC_FOLDER = "/var/lib/trap-bench", "/home/dock/trap-static"
VOLUME_FOLDER = f"/var/lib/docker/volumes/{VOLUME}/_data"
CHAIN = "trap-lab"
HEALTHCHECK = FOLDER / "images" / "webapp_django" / "healthcheck.py"

# Also what a killed run left behind. The script first: it would start its container again.
SWEEP = f"""
rm -f /etc/lab/addressed/trap-*
docker ps --all --quiet --filter name=^trap- | xargs --no-run-if-empty docker rm --force
docker network ls --quiet --filter name=^trap- | xargs --no-run-if-empty docker network rm
docker volume ls --quiet --filter name=^trap- | xargs --no-run-if-empty docker volume rm
iptables -w -t raw -S PREROUTING | sed -n 's/^-A \\(.* {CHAIN}\\)$/-D \\1/p' |
  xargs --no-run-if-empty iptables -w -t raw
if iptables -w -t raw -F {CHAIN} 2>/dev/null; then iptables -w -t raw -X {CHAIN}; fi
rm -rf {FILES} {STATIC_FOLDER}
"""

# Sends one packet and prints the answer; arguments: socket, variables as JSON.
SENDER = """
import json, runpy, sys
theirs = runpy.run_path("/usr/local/lib/webapp/healthcheck.py")
with theirs["connection"](sys.argv[1]) as asked:
    asked.sendall(theirs["packet"](theirs["REQUEST"] | json.loads(sys.argv[2])))
    print(asked.makefile("rb").read().decode())
"""


def source(path):
    """A file of this repository, as it is built into an image or installed on the nodes."""
    return (FOLDER / path).read_text()


def without(text, *parts):
    """A file with its cure taken out."""
    for part in parts:
        assert part in text, f"{part!r} is no longer there: what is the cure now?"
        text = text.replace(part, "")
    return text


def send(address, port, variables, seconds=10):
    """The answer to one packet of the uwsgi protocol, whole; OSError if there is none."""
    theirs = runpy.run_path(str(HEALTHCHECK))
    with theirs["connection"](f"{address}:{port}") as asked:
        asked.settimeout(seconds)
        asked.sendall(theirs["packet"](theirs["REQUEST"] | variables))
        return asked.makefile("rb").read().decode()


def send_from_container(node, image, socket, variables, *options):
    """The same from a container of a node; or the error's last line."""
    status, output, errors = node.attempt(
        *("docker", "run", "--rm", *options, image),
        *("python3", "-c", SENDER, socket, json.dumps(variables)),
    )
    return output if status == 0 else errors.strip().splitlines()[-1]


class Bench:
    """One node's. The lab's wait_healthy takes it for a node whose containers are the bench's."""

    def __init__(self, node, site):
        self.node, self.site, self.name = node, site, node.name
        self.address = site.topology.address(node.name)
        self._service = WebService(mode="custom-bridge", django=node.name, nginx=node.name)
        self.run, self.attempt = node.run, node.attempt

    def __enter__(self):
        self.sweep()
        self.run("docker", "network", "create", NETWORK)
        return self

    def __exit__(self, *_):
        self.sweep()

    def sweep(self):
        self.run("sh", "-ec", SWEEP)

    def django(self, name, *, socket="", over=None, publish=None, **changes):
        """Django as the lab runs it; see `_start`. Returns the record that was started."""
        record = web.django(self.site, self._service, network=NETWORK, socket=socket)
        return self._start(record, name, over, publish and f"{publish}:{UWSGI_PORT}", changes)

    def nginx(self, name, uwsgi, *, over=None, publish=None, **changes):
        record = web.nginx(self.site, self._service, uwsgi, network=NETWORK)
        return self._start(record, name, over, publish and f"{publish}:80", changes)

    def _start(self, record, name, over, publish, changes):
        """publish: the port of the node that leads there; changes: to the record; over: path in the
        container -> what stands there instead of the image's own file."""
        record = replace(self._on_the_bench(record, name, over or {}), **changes)
        command = steps.run(record)
        published = ("--publish", f"{self.address}:{publish}") if publish else ()
        self.run(*command[:2], *published, *command[2:])
        return record

    def follow(self, name, django):
        """An nginx as in the mode default-bridge, in the care of the node's lab-follow."""
        record = web.nginx(self.site, self._service, AddressOf(django, UWSGI_PORT))
        script = steps.addressed_script(self._on_the_bench(record, name, {}))
        self.node.put((script,))
        self.run(script.path)

    def _on_the_bench(self, record, name, over):
        """The record as none of the lab's: with the bench's volume, and with files replaced."""
        mounts = tuple(
            replace(mount, source=VOLUME) if mount.source == web.STATIC_VOLUME.name else mount
            for mount in record.mounts
        )
        files = {path: f"{FILES}/{name}{path.replace('/', '-')}" for path in over}
        self.node.put(File(files[path], text, 0o755) for path, text in over.items())
        mounts += tuple(Mount(files[path], path) for path in over)
        return replace(record, name=name, service="", mode="", publications=(), mounts=mounts)

    def squat(self, name, **changes):
        """A container that does nothing, and has an address."""
        idle = {"entrypoint": "sleep", "command": ("infinity",), **changes}
        return self.django(name, **idle)

    def observe(self, healthy=()):
        """The bench's containers, as the lab observes its own; it waits for none of them."""
        names = self.run("docker", "ps", "--all", "--format", "{{.Names}}").split()
        found = self.node.inspect(*(name for name in names if name.startswith("trap-")))
        return Observation(containers={one.name: one for one in map(_running, found)})

    def wait_healthy(self, *records):
        wait_healthy(self, Plan(records), frozenset({""}))

    @property
    def image(self):
        return self.site.images["webapp_django"]

    def address_of(self, name):
        networks = self.node.inspect(name)[0]["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def status(self, nginx, path="/uwsgi_health"):
        """The HTTP status with which an nginx answers; 0 if it doesn't."""
        ask = ("docker", "exec", nginx, "/usr/local/lib/webapp/healthcheck.sh", path)
        _, said, _ = self.attempt(*ask)
        found = re.search(r"HTTP/1\.1 (\d+)", said)
        return int(found[1]) if found else 0

    def wait_status(self, nginx, wanted, path="/uwsgi_health"):
        wait_until(
            f"{nginx}: {wanted} for {path}",
            lambda: self.status(nginx, path),
            lambda status: status == wanted,
            seconds=30,
            advice=lambda _: self.log(nginx),
        )

    def log(self, name):
        _, output, errors = self.attempt("docker", "logs", name)
        return output + errors

    def wait_log(self, name, text):
        wait_until(
            f"{name}: {text!r} in its log",
            lambda: self.log(name),
            lambda log: text in log,
            seconds=30,
            advice=lambda _: "docker logs",
        )

    def stop(self, name, seconds):
        """Stops a container as a deployment does; returns its exit status."""
        self.run("docker", "stop", "--time", str(seconds), name)
        return self.node.inspect(name)[0]["State"]["ExitCode"]

    def guard(self, rules, script):
        """Loads firewall rules with the lab's own script, into a chain of the bench's."""
        text = script.replace("LAB", CHAIN).replace("/etc/lab/firewall", f"{FILES}/rules")
        self.node.put((File(f"{FILES}/rules", rules), File(f"{FILES}/firewall", text)))
        self.run("bash", f"{FILES}/firewall")


def _running(inspected):
    state = inspected["State"]
    return Running(
        name=inspected["Name"].lstrip("/"),
        service="",
        mode="",
        image=inspected["Config"]["Image"],
        state=state["Status"],
        health=state["Health"]["Status"] if "Health" in state else None,
        digest="",
        restarts=inspected["RestartCount"],
    )
