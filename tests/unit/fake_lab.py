"""A lab without machines: what its nodes share, and what lies outside of them.

The registry, HAProxy's view of the web servers, the virtual address, the swarm, the site as a
browser sees it, rsync. All of it follows from the nodes' containers (tests/unit/fake_node.py).
"""

import csv
import io
import json
import re
import subprocess
from collections import Counter
from email.message import Message
from threading import RLock, local
from types import SimpleNamespace
from urllib.parse import urlsplit

import yaml

from lab import context
from lab.balancers import balancers
from lab.context import Lab
from lab.databases import initialize, owners
from lab.deploy import building
from lab.engine import difference, ssh, steps
from lab.engine.observation import TASK
from lab.plan.modes import web
from lab.release import images, releases
from lab.secrets import secrets
from lab.secrets.secrets import GENERATED
from lab.visitor.client import Client
from tests.unit.delivered import LAB
from tests.unit.fake_node import (
    LOOKS,
    OBSERVED,
    STATIC_FOLDER,
    Entry,
    FakeNode,
    Machine,
    Refused,
    Standing,
)

SECRETS = {name: f"value of {name}" for name in GENERATED} | {
    "registry.crt": "certificate",
    "registry.key": "key",
    "registry_ca.crt": "authority",
}
INVITATION = "a worker or manager"
# Simulated seconds from one look to the next.
PAUSE_SECONDS = 2
SIGN_IN = '<form><input type="hidden" name="csrfmiddlewaretoken" value="token"></form>'
POSTS = '<link rel="stylesheet" href="/static/{}.css"><h1>Your posts</h1>' + SIGN_IN


class Clock:
    """Each thread's own: one that waits in vain takes no time away from the others."""

    def __init__(self):
        self._threads = local()

    def monotonic(self):
        return getattr(self._threads, "now", 0.0)

    time = monotonic

    def sleep(self, _seconds):
        self._threads.now = self.monotonic() + PAUSE_SECONDS


class Registry:
    """built: images that the builder has, and nobody else."""

    def __init__(self, world):
        self.world, self.pushed, self.built = world, set(), set()

    def tags_list(self, name):
        self._require_it_runs()
        tags = [ref.rsplit(":", 1)[1] for ref in self.pushed if f"/{name}:" in ref]
        return json.dumps({"name": name, "tags": tags})

    def _require_it_runs(self):
        if not self.world.machine(self.world.topology.builder).runs("registry"):
            raise Refused("curl: (7) Failed to connect")

    def require(self, reference):
        if reference not in self.pushed:
            raise Refused(f"manifest for {reference} not found")

    def push(self, reference):
        if reference not in self.built:
            raise Refused(f"An image does not exist locally with the tag: {reference}")
        self._require_it_runs()
        self.pushed.add(reference)


class HAProxy:
    """One balancer's HAProxy: what it knows of the web servers.

    drained: by name, and the looks until its requests in flight are answered; checked: which
    containers the last successful check of each server has seen.
    """

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.servers, self.drained, self.checked = (), {}, {}

    def start(self, machine):
        self.drained, self.checked = {}, {}
        self.load(machine)

    def load(self, machine):
        configuration = machine.files["/etc/lab/haproxy/web.cfg"].split("\nbackend nginx")[1]
        self.servers = tuple(re.findall(r"^ +server (\S+) [\d.]+:80", configuration, re.MULTILINE))

    def told(self, commands):
        if commands.startswith("show stat"):
            return self._statistics()
        if commands.startswith("show servers"):
            return self._states()
        answers = ""
        for command in commands.strip().split("; "):
            _, _, server, _, state = command.split()
            answers += self._set(server.removeprefix("nginx/"), state)
        return answers

    def _set(self, server, state):
        if server not in self.servers:
            return "No such server.\n"
        self.drained.pop(server, None)
        if state == "drain":
            self.drained[server] = 1
        return ""

    def _statistics(self):
        head, row = (OBSERVED / "haproxy-stat.csv").read_text().splitlines()[:2]
        columns = head.removeprefix("# ").split(",")
        recorded = next(csv.DictReader([row], fieldnames=columns))
        rows = io.StringIO()
        writer = csv.DictWriter(rows, columns)
        for server in self.servers:
            well = self._check(server)
            up = "DRAIN" if server in self.drained else "UP"
            writer.writerow(
                recorded
                | {"svname": server, "scur": self._in_flight(server)}
                | {"status": up if well else "DOWN", "check_status": "L7OK" if well else "L4CON"}
            )
        return f"{head}\n{rows.getvalue()}"

    def _check(self, server):
        """Whether it was well at the last check: a change is seen a look later."""
        now, known = self.world.serving(server), self.checked.get(server)
        self.checked[server] = now
        if now and now != known:
            return False
        if now and self.world.noticed(self.name, server, now):
            self._seen("seen well", server)
        return bool(now)

    def _in_flight(self, server):
        left = self.drained.get(server, -1)
        if left >= 0:
            self.drained[server] = left - 1
        if left == 0:
            self._seen("answered", server)
        return 1 if left > 0 else 0

    def _seen(self, what, server):
        self.world.journal.append(Entry(self.name, ("seen", what, server)))

    def _states(self):
        lines = (OBSERVED / "haproxy-servers.txt").read_text().splitlines()
        version, head, row = lines[:3]
        recorded = dict(zip(head.removeprefix("# ").split(" "), row.split(" "), strict=True))
        rows = [
            recorded | {"srv_name": one, "srv_admin_state": "8" if one in self.drained else "0"}
            for one in self.servers
        ]
        return "\n".join([version, head, *(" ".join(row.values()) for row in rows), ""])


class Swarm:
    """members: node to its id; labelled: the nodes that nginx may run on; settling: looks of a node
    until Swarm has done what it was told; stack: the images of the services."""

    def __init__(self, world):
        self.world = world
        self.members, self.secrets, self.stack = {}, [], {}
        self.labelled, self.settling, self._there = set(), Counter(), set()

    def join(self, machine, given):
        if given != INVITATION:
            raise Refused("invalid join token")
        self.members[machine.name] = f"id-of-{machine.name}"

    def told(self, machine, argv, _given):
        words = argv[2:] if argv[0] == "timeout" else argv
        match words[1:3]:
            case ("swarm", "init"):
                self.members[machine.name] = f"id-of-{machine.name}"
            case ("swarm", "join-token"):
                return INVITATION
            case ("swarm", "leave"):
                del self.members[machine.name]
            case ("secret", "ls"):
                return "\n".join(self.secrets)
            case ("secret", "create"):
                self.secrets.append(words[3])
            case ("node", "update"):
                self._label(words[-2], words[-1])
            case ("stack", "deploy"):
                self._deploy(machine, words[words.index("--compose-file") + 1])
            case ("stack", "rm"):
                self.stack, self._there = {}, set()
            case ("service", "inspect"):
                return "completed\n"
            case _:
                raise AssertionError(f"{machine.name}: nobody expects {argv}")
        return ""

    def _label(self, label, identity):
        node = next(name for name, known in self.members.items() if known == identity)
        self.settling[node] = 1
        if label == "lab.nginx=yes":
            self.labelled.add(node)
        else:
            self.labelled.discard(node)

    def _deploy(self, machine, path):
        document = yaml.safe_load(machine.files[path])
        lacking = {s["name"] for s in document["secrets"].values()} - set(self.secrets)
        if lacking:
            raise Refused(f"secret not found: {lacking}")
        self.stack = {name: one["image"] for name, one in document["services"].items()}

    def services(self, machine):
        if machine.name not in self.members or not self.stack:
            return {}
        nginx = f"{len(self._there)}/{len(self.labelled)}"
        return {"webapp_django": "3/3", "webapp_nginx": nginx}

    def nginx(self, machine):
        return machine.name in self._there

    def observed_tasks(self, machine):
        """The tasks of a node, once Swarm has done what it was told."""
        name = machine.name
        wanted = self.stack and name in self.labelled and not machine.front()
        if self.settling[name]:
            self.settling[name] -= 1
        elif self.stack and wanted != (name in self._there):
            (self._there.add if wanted else self._there.discard)(name)
            how = "1 nginx by Swarm" if wanted else "0 nginx by Swarm"
            self.world.journal.append(Entry(name, ("seen", how)))
        if name in self._there:
            yield self._task("nginx", name)
        if self.stack and name in tuple(self.members)[:3]:
            yield self._task("django", name)

    def _task(self, service, name):
        labels = {"lab.service": service, "lab.mode": "overlay", TASK: "1"}
        return Standing(f"webapp_{service}.{name}", self.stack[service], labels, "webapp")


class World:
    """lab: over these nodes, as a task has it; journal: all that was done, in its order.

    What goes wrong: never_healthy: (node, image) whose containers never get healthy; broken: (node,
    image of Django) that answer 500 to signed-in users; stale: nodes whose Django names another
    release; without_files: nodes that lose what is published there; lacking: the names for which a
    static set that is published has no file.
    """

    def __init__(self, monkeypatch, reports):
        self.lock, self.journal = RLock(), []
        self.topology = LAB
        self.virtual_address = LAB.virtual_address
        self.tags = dict.fromkeys(images.IMAGES, "1")
        self.registry, self.swarm = Registry(self), Swarm(self)
        self.machines, self.nodes = {}, {}
        for name in LAB.names:
            self.boot(name)
        self.haproxy = {name: HAProxy(self, name) for name in LAB.names}
        self.never_healthy, self.broken, self.lacking = set(), set(), ()
        self.stale, self.without_files = set(), set()
        self._holder, self._noticed, self._copies = "", {}, {}
        self._patch(monkeypatch, reports)

    def _patch(self, monkeypatch, reports):
        clock = Clock()
        monkeypatch.setattr(ssh, "time", clock)
        monkeypatch.setattr(balancers, "time", clock)
        monkeypatch.setattr(context, "Node", self.nodes.__getitem__)
        monkeypatch.setattr(Lab, "require_up", lambda _: None)
        monkeypatch.setattr(secrets, "load", lambda _: SECRETS)
        monkeypatch.setattr(images, "tags", lambda: self.tags)
        monkeypatch.setattr(images, "copy", lambda *_: None)
        monkeypatch.setattr(building, "REPORTS", reports)
        # Whatever bundle was brought in here.
        monkeypatch.setattr(building, "seed", lambda _: None)
        monkeypatch.setattr(subprocess, "run", self._outside)
        monkeypatch.setattr(Client, "_ask", lambda _, request, __: self._ask(request))

    @property
    def lab(self):
        return Lab(self.topology)

    def boot(self, name):
        self.machines[name] = Machine(name, self)
        self.nodes[name] = FakeNode(self.machines[name])

    def machine(self, name):
        return self.machines[name]

    def sources(self, **tags):
        """Edits them: these images have other tags from now on."""
        self.tags = self.tags | tags

    def settle(self):
        """Has a first release serve, as if `fab up` had ended long ago."""
        lab = self.lab
        release = releases.Release(
            name="20261124-0815-abcdef",
            time="2026-11-24T08:15:00+00:00",
            tags=self.tags,
            web=self.topology.settings.web,
            limits=self.topology.web_limits,
        )
        self.registry.pushed |= set(lab.site(release).images.values())
        for name in self.machines:
            self._bring(name, lab.plan(release, name))
        builder = self.machine(self.topology.builder)
        builder.files |= {file.path: file.content for file in release.files(current=True)}
        live = releases.JournalEntry(time=release.time, release=release.name, outcome="live")
        builder.files[releases.JOURNAL] = live.model_dump_json() + "\n"
        builder.files[owners.OWNED] = ""
        builder.files[initialize.INITIALIZED] = initialize._brought_to(lab, release)
        self.mind_the_address()
        for name in self.topology.settings.balancers * 2:
            self.haproxy[name].told("show stat nginx 4 -1")
        self.journal.clear()
        return release

    def _bring(self, name, plan):
        machine = self.machine(name)
        for file in (*difference.files(plan), *difference.notes(plan)):
            machine.files[file.path] = file.content
        machine.networks |= set(plan.networks)
        machine.volumes |= {volume.name: volume.disposable for volume in plan.volumes}
        machine.images |= set(plan.images)
        if plan.only(web.SERVICES).containers:
            machine.static_sets = {self.tags["webapp_static"]}
            machine.rsynced = {self.tags["webapp_static"]}
        for container in plan.containers:
            if container.addressed:
                machine.act((f"{steps.ADDRESSED}/{container.name}",), "")
            else:
                machine.act(steps.run(container), "")
            machine.containers[container.name].looks = 0

    # What the nodes share.

    def looks(self, node, image):
        never = (node, image.rsplit("/", 1)[-1]) in self.never_healthy
        return float("inf") if never else LOOKS

    def holder(self):
        """The balancer that has the virtual address."""
        return self._holder

    def mind_the_address(self):
        able = [n for n in self.topology.settings.balancers if self.machine(n).runs("keepalived")]
        if self._holder not in able:
            self._holder = able[0] if able else ""

    def move_address(self, away):
        self._holder = next(n for n in self.topology.settings.balancers if n != away)

    def noticed(self, balancer, server, now):
        """Whether a balancer sees these containers well for the first time."""
        news = self._noticed.get((balancer, server)) != now
        self._noticed[balancer, server] = now
        return news

    def serving(self, node):
        """What serves at a node's port 80, so that a replaced one is another; None: nothing."""
        machine = self.machine(node)
        if self.swarm.nginx(machine):
            return ("stack", *self.swarm.stack.values())
        front = machine.front()
        if not front or not front.well:
            return None
        where, django = self._behind(machine, front)
        well = django and django.well
        return (front.name, front.serial, where.name, django.name, django.serial) if well else None

    def _behind(self, machine, front):
        """The node of a front's Django, and Django, if it is there."""
        host, names = front.uwsgi.split(":")[0], self.topology.names
        where = next((self.machine(n) for n in names if self.topology.address(n) == host), machine)
        return where, where.django(front)

    # What lies outside.

    def manage(self, command):
        """What `manage.py COMMAND` says."""
        if command == "initialize":
            for service, nodes in (
                ("mysql", self.topology.settings.mysql),
                ("cassandra", self.topology.settings.cassandra),
                ("haproxy", self.topology.settings.balancers),
            ):
                there = (self.machine(node).containers.get(service) for node in nodes)
                if not all(standing and standing.well for standing in there):
                    raise Refused(f"{service} does not answer")
            return "posts: all were taken over\n"
        return "done\n"

    def _outside(self, command, **_):
        """rsync, git's name for the sources, and a Docker here that has no base image to lend."""
        if command[0] not in ("rsync", "git", "docker"):
            raise AssertionError(f"nobody expects {command}")
        try:
            with self.lock:
                output = self._rsync(command) if command[0] == "rsync" else ""
        except Refused as refusal:
            return SimpleNamespace(returncode=23, stdout="", stderr=f"{refusal}\n")
        return SimpleNamespace(returncode=0, stdout=output, stderr="")

    def _rsync(self, command):
        source, target = command[-2:]
        if ":" in source:
            self._copies[target] = set(self.machine(source.split(":")[0]).static_sets)
            if not self._copies[target]:
                raise Refused(f'rsync: change_dir "{source}" failed: No such file or directory')
            return ""
        if not target.endswith(f"{STATIC_FOLDER}/"):
            self.journal.append(Entry("lab", ("rsync", "sources")))
            return ""
        machine, copied = self.machine(target.split(":")[0]), self._copies[source]
        prune = "--delete" in command
        self.journal.append(Entry(machine.name, ("rsync", "prune" if prune else "add")))
        before = machine.rsynced
        machine.rsynced = copied if prune else before | copied
        machine.folders.add(STATIC_FOLDER)
        return ">f+++++++++ style.css\n" if machine.rsynced != before else ""

    def _ask(self, request):
        """What a browser is answered by a node's port 80."""
        url = urlsplit(request.full_url)
        name = next(n for n in self.topology.names if self.topology.address(n) == url.hostname)
        with self.lock:
            self.journal.append(Entry(name, (request.get_method(), url.path)))
            if not self.serving(name):
                raise ConnectionRefusedError(111, "Connection refused")
            return self._answer(self.machine(name), request.get_method(), url.path)

    def _answer(self, machine, method, path):
        where, django = self._behind(machine, machine.front())
        headers = Message()
        headers["X-Lab-Node"] = where.name
        headers["X-Lab-Mode"] = django.labels["lab.mode"]
        told = where.files[web.RELEASE_FILE].strip()
        headers["X-Lab-Release"] = "another" if where.name in self.stale else told
        if path.startswith("/static/"):
            apart = django.labels["lab.mode"] == "separate-hosts"
            laid = machine.rsynced if apart else machine.static_sets
            there = path[len("/static/") : -len(".css")] in laid
            return (200 if there else 404), headers, ""
        if (where.name, django.image.rsplit("/", 1)[-1]) in self.broken and path != "/ready":
            return 500, headers, "Something broke"
        if (method, path) == ("GET", "/accounts/login/"):
            return 200, headers, SIGN_IN
        return 200, headers, POSTS.format(where.files[web.STATIC_SET_FILE].strip())
