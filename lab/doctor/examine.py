"""Asks the whole lab at once what there is to know, and has the culprits found (checks/)."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from typing import TypeVar

from lab.config.ports import WEB_PORT
from lab.config.topology import TopologyError
from lab.context import Lab
from lab.doctor.checks import checks, nodes, questions
from lab.doctor.checks.facts import LATE, Examined, Facts, Page, examined
from lab.doctor.checks.limits import CONTAINERS, Limits, limits, slowness
from lab.doctor.diagnosis import Check, Failure, confirmed, diagnose
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
    """Every check of the lab. Takes as long as limits.py allows, whatever hangs.

    On a busy machine what fails is looked at again, more patiently: there, most of what is wrong
    was only late.
    """
    facts = gather(lab)
    found = checks(facts)
    if not facts.busy or not diagnose(found):
        return found
    return confirmed(found, checks(gather(lab, patience=2)))


def gather(lab: Lab, patience: float = 1) -> Facts:
    """patience: how many times longer than usual to wait for what comes late."""
    lab.require_up()
    # It would print a traceback for each node that does not greet.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    paths, slowness = _paths(lab), _pace.slowness()
    allowed = _limits(lab).stretched(slowness * patience)
    pages: dict[tuple[str, str], Page] = {}
    asked: dict[str, Callable[[], Examined | Failure | None]] = {
        f"pages of {node}": partial(_visit, steps, pages)
        for node, steps in _pages(lab, allowed.page).items()
    }
    for name in lab.topology.names:
        asked[name] = partial(_examine, lab, name, paths, allowed)
    answered = _within(allowed.lab, asked)
    answers = {
        name: answered.get(name) or Failure(f"{LATE} over SSH", f"vagrant ssh {name}")
        for name in lab.topology.names
    }
    return _facts(lab, answers, dict(pages), slowness)


def _limits(lab: Lab) -> Limits:
    """Those of containers where nothing says what the machines are."""
    with suppress(LabError, OSError):
        return limits(made.load(lab.topology.name).provider)
    return CONTAINERS


class Pace:
    """How slow this machine is, as this process itself has it: by its first thread."""

    def __init__(self) -> None:
        self.ran, self.waited = 0, 0

    def slowness(self) -> float:
        """Since it was last asked for, or the process began."""
        with suppress(OSError, ValueError):
            ran, waited = map(int, Path("/proc/self/schedstat").read_text().split()[:2])
            found = slowness(ran - self.ran, waited - self.waited)
            self.ran, self.waited = ran, waited
            return found
        return 1.0


_pace = Pace()


def _facts(
    lab: Lab,
    answers: dict[str, Examined | Failure],
    pages: dict[tuple[str, str], Page],
    slowness: float,
) -> Facts:
    """With each node's plan as it was found: `fab -H NODE deploy --mode` may have changed it."""
    load, authority = os.getloadavg()[0] / (os.cpu_count() or 1), lab.secrets["ca.crt"]
    facts = Facts(lab.topology, None, {}, answers, pages, authority, time.time(), load, slowness)
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


def _variants(lab: Lab) -> Iterator[Lab]:
    """As lab.yml has it, and as a stack: either may be found."""
    yield lab
    with suppress(TopologyError):
        yield Lab(lab.topology.with_overlay())


def _paths(lab: Lab) -> tuple[str, ...]:
    """The files of every plan that a node may be found to follow."""
    return questions.paths(
        variant.plan(UNKNOWN, name) for variant in _variants(lab) for name in lab.topology.names
    )


def _examine(lab: Lab, name: str, paths: tuple[str, ...], allowed: Limits) -> Examined | Failure:
    asked = {
        "questions": questions.questions(lab.topology, name, paths),
        "inside": questions.inside(lab.topology, name),
        "silent": questions.SILENT,
        **{limit: getattr(allowed, limit) for limit in ("answer", "command", "node")},
    }
    sent = time.time()
    with closing(Node(name, greeting_seconds=allowed.greeting)) as node:
        try:
            told = node.feed(json.dumps(asked), "lab-doctor")
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


Steps = dict[tuple[str, str], Callable[[], Page]]


def _pages(lab: Lab, seconds: float) -> dict[str, Steps]:
    """What a browser would ask for, of the virtual address, and of each node that may have nginx.

    By node, '' being the address, one step after another.
    """
    page, static = partial(_page, seconds), partial(_static, seconds)
    virtual = lab.topology.virtual_address
    found: dict[str, Steps] = {"": {("", "site"): partial(page, virtual, "/accounts/login/")}}
    for name in dict.fromkeys(name for one in _variants(lab) for name in one.topology.nginx_nodes):
        address = lab.topology.address(name)
        found[name] = {
            (name, "nginx"): partial(page, address, "/nginx_health"),
            (name, "page"): partial(page, address, "/posts/list", STRANGER),
            (name, "static"): partial(static, address),
        }
    return found


def _visit(steps: Steps, pages: dict[tuple[str, str], Page]) -> None:
    """Puts what came into pages. Who does not answer at all is not asked for more."""
    page = None
    for key, ask in steps.items():
        if page is None or page.status:
            page = ask()
        pages[key] = page


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
