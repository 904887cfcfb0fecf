"""Asks the whole lab at once what there is to know, and has the culprits found (checks/)."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from typing import TypeVar

from lab.config.ports import WEB_PORT
from lab.config.topology import Topology, TopologyError
from lab.context import Lab
from lab.doctor.checks import checks, nodes, questions
from lab.doctor.checks.facts import LATE, Examined, Facts, Page, examined
from lab.doctor.checks.limits import CONTAINERS, Limits, limits
from lab.doctor.diagnosis import Check, Failure
from lab.doctor.status import as_found
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.machines import made
from lab.release import releases
from lab.release.images import IMAGES
from lab.release.releases import Release

# Nobody's: Django has to look it up, and finds that nobody is signed in.
STRANGER = {"Cookie": f"sessionid={'doctor' * 5}"}
UNKNOWN = Release(name="", time="", tags=dict.fromkeys(IMAGES, "unknown"))

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def examine(lab: Lab) -> tuple[Check, ...]:
    """Every check of the lab. Takes as long as limits.py allows, whatever hangs."""
    return checks(gather(lab))


def gather(lab: Lab) -> Facts:
    lab.require_up()
    # It would print a traceback for each node that does not greet.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    at_once, paths, allowed = _at_once(), _paths(lab), _limits(lab)
    asked: dict[tuple[str, str], Callable[[], Examined | Failure | Page]] = {
        (name, "examine"): partial(_examine, lab, name, paths, allowed)
        for name in lab.topology.names
    }
    asked |= _pages(lab.topology, allowed.page)
    answered = _within(allowed.lab, asked)
    answers: dict[str, Examined | Failure] = {}
    for name in lab.topology.names:
        answer = answered.get((name, "examine"))
        late = Failure(f"{LATE} over SSH", f"vagrant ssh {name}")
        answers[name] = late if answer is None or isinstance(answer, Page) else answer
    at_once = max(at_once, _at_once())
    return _facts(lab, answers, {k: v for k, v in answered.items() if isinstance(v, Page)}, at_once)


def _limits(lab: Lab) -> Limits:
    """Those of containers where nothing says what the machines are."""
    with suppress(LabError, OSError):
        return limits(made.load(lab.topology.name).provider)
    return CONTAINERS


def _at_once() -> float:
    """Processes per processor that want to run now; 0 where the system does not say."""
    with suppress(OSError):
        now = Path("/proc/loadavg").read_text().split()[3].partition("/")[0]
        return int(now) / (os.cpu_count() or 1)
    return 0.0


def _facts(
    lab: Lab,
    answers: dict[str, Examined | Failure],
    pages: dict[tuple[str, str], Page],
    at_once: float,
) -> Facts:
    """With each node's plan as it was found: `fab -H NODE deploy --mode` may have changed it."""
    load, authority = os.getloadavg()[0] / (os.cpu_count() or 1), lab.secrets["ca.crt"]
    facts = Facts(lab.topology, None, {}, answers, pages, authority, time.time(), load, at_once)
    record = facts.answer(lab.topology.builder, "release").output
    release = releases.understood(record) if record else None
    stack = any(facts.answer(name, "stack").output for name in lab.topology.names)
    topology = lab.topology
    for name in lab.topology.names:
        modes = dict.fromkeys(
            container.mode for container in facts.containers(name).values() if container.mode
        )
        topology = as_found(topology, name, modes, stack=stack)
    changed = Lab(topology)
    plans = {name: changed.plan(release or UNKNOWN, name) for name in topology.names}
    rewired = frozenset(
        name
        for name in topology.names
        if not stack and topology.web_services_of(name) != lab.topology.web_services_of(name)
    )
    return replace(facts, topology=topology, release=release, plans=plans, rewired=rewired)


def _paths(lab: Lab) -> tuple[str, ...]:
    """The files of every plan that a node may be found to follow: lab.yml's, or a stack's."""
    labs = [lab]
    with suppress(TopologyError):
        labs.append(Lab(lab.topology.with_overlay()))
    return questions.paths(
        variant.plan(UNKNOWN, name) for variant in labs for name in lab.topology.names
    )


def _examine(lab: Lab, name: str, paths: tuple[str, ...], allowed: Limits) -> Examined | Failure:
    commands = questions.commands(lab.topology, name, paths, allowed)
    inside = questions.inside(lab.topology, name, allowed)
    seconds = {"seconds": allowed.command, "all_seconds": allowed.node}
    asked = json.dumps({"commands": commands, "inside": inside, **seconds})
    sent = time.time()
    with closing(Node(name, greeting_seconds=allowed.greeting)) as node:
        try:
            told = node.run("lab-examine", asked)
        except LabError as error:
            container = _container(lab, name)
            return nodes.no_answer(
                name, str(error), container, _state(container) if container else ""
            )
    return examined(json.loads(told), sent, time.time())


def _container(lab: Lab, name: str) -> str:
    """The node as a container of this machine; empty where it is none, or nothing says so."""
    with suppress(LabError, OSError):
        return made.load(lab.topology.name).container(name)
    return ""


def _state(container: str) -> str:
    """Of a container of this machine; empty where it is gone."""
    command = ("docker", "inspect", "--format", "{{.State.Status}}", container)
    with suppress(OSError, subprocess.TimeoutExpired):
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2)
        return found.stdout.strip()
    return ""


def _pages(topology: Topology, seconds: float) -> dict[tuple[str, str], Callable[[], Page]]:
    """What a browser would ask for, of each nginx and of the virtual address."""
    pages: dict[tuple[str, str], Callable[[], Page]]
    page, static = partial(_page, seconds), partial(_static, seconds)
    pages = {("", "site"): partial(page, topology.virtual_address, "/accounts/login/")}
    for name in topology.names:
        address = topology.address(name)
        pages[name, "nginx"] = partial(page, address, "/nginx_health")
        pages[name, "page"] = partial(page, address, "/posts/list", STRANGER)
        pages[name, "static"] = partial(static, address)
    return pages


def _page(
    seconds: float, address: str, path: str, headers: Mapping[str, str] | None = None
) -> Page:
    connection = HTTPConnection(address, WEB_PORT, timeout=seconds)
    try:
        connection.connect()
    except TimeoutError:
        # Not the lateness of a busy machine: whatever a program does, its kernel connects.
        return Page(0, f"no connection within {seconds:g} s")
    except OSError as error:
        return Page(0, error.strerror or str(error))
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        release = answer.headers.get("X-Lab-Release", "")
        return Page(answer.status, answer.read().decode(errors="replace"), release)
    except TimeoutError:
        return Page(0, LATE)
    except (OSError, HTTPException) as error:
        return Page(0, str(error))
    finally:
        connection.close()


def _static(seconds: float, address: str) -> Page:
    """The first file that the sign-in page names and nginx does not have, or else that page."""
    page = _page(seconds, address, "/accounts/login/")
    for path in dict.fromkeys(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)):
        file = _page(seconds, address, path)
        if file.status != 200:
            return Page(file.status, f"{path}: {file.said}", page.release)
    return Page(page.status, f"/accounts/login/: {page.said}", page.release)


def _within(seconds: float, work: Mapping[Key, Callable[[], Value]]) -> dict[Key, Value]:
    """Does all of it at the same time; what takes longer than `seconds` is left behind.

    Its threads don't keep the program from ending. Unlike engine.progress.together, which waits for
    all: what is only looked at can't be left half done.
    """
    values: dict[Key, Value] = {}

    def do(key: Key, act: Callable[[], Value]) -> None:
        values[key] = act()

    threads = [Thread(target=do, args=item, daemon=True) for item in work.items()]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(values)
