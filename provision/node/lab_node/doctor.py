"""Asks what there is to know on this node; prints it as one JSON object.

Its standard input: {"questions": {NAME: QUESTION}, "inside": {SERVICE: {NAME: QUESTION}}, "silent":
{NAME: QUESTION}, "answer": SECONDS, "command": SECONDS, "node": SECONDS}. A question is a kind
(asking.py) and its arguments. What is inside is asked of each running container of a service, what
is silent only where Docker does not answer. answer: how long whoever is asked may take; command: a
program; node: all of it. Whatever hangs is left behind, and the rest is told. An answer is [status,
or null if there was none in time, output, errors].

All of it is one process: its threads wait at the same time, and work one after another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from functools import partial

from lab_node import asking, health
from lab_node.docker import SOCKET, Docker

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Any

# Those that start a program have the time of one.
PROGRAMS = ("run", "mysql", "account", "upstream")


class Asked:
    """Questions, each with a thread of its own, and their answers so far."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds["node"]
        self.answers: dict[Hashable, asking.Answer] = {}
        self.threads: list[threading.Thread] = []

    def ask(self, name: Hashable, question: list[str], *inside: dict[str, Any]) -> None:
        kind, *arguments = question
        act = asking.INSIDE[kind] if inside else asking.OF_NODE[kind]
        limit = self.seconds["command" if kind in PROGRAMS else "answer"]
        seconds = min(limit, max(0.1, self.deadline - time.monotonic()))
        do = partial(self._do, name, partial(act, arguments, seconds, *inside))
        self.threads.append(threading.Thread(target=do, daemon=True))
        self.threads[-1].start()

    def _do(self, name: Hashable, act: Callable[[], asking.Answer]) -> None:
        self.answers[name] = attempt(act)

    def of(self, names: Iterable[Hashable]) -> dict[Hashable, asking.Answer]:
        """The answers that came in time, once all did, or the time is over."""
        for thread in self.threads:
            # Who was cut off a moment ago still tells so.
            thread.join(max(0.0, self.deadline + 0.2 - time.monotonic()))
        answers = dict(self.answers)
        return {name: answers.get(name, (None, "", "")) for name in names}


def attempt(act: Callable[[], asking.Answer]) -> asking.Answer:
    """One that can't be asked, or answers strangely, hides none of the others."""
    try:
        return act()
    except Exception as error:
        return 1, "", f"{type(error).__name__}: {error}"


def listed(seconds: float) -> tuple[asking.Answer, list[dict[str, Any]]]:
    """How Docker answers, and the lab's containers."""
    try:
        return (0, "", ""), Docker(seconds).containers()
    except OSError as error:
        late = isinstance(error, TimeoutError)
        return (None if late else 1, "", f"Docker does not answer at {SOCKET}: {error}"), []


def running(found: list[dict[str, Any]], service: str) -> dict[str, dict[str, Any]]:
    """The containers of a service by their names."""
    return {
        one["Name"].lstrip("/"): one
        for one in found
        if one["Config"]["Labels"]["lab.service"] == service and one["State"]["Status"] == "running"
    }


def main() -> None:
    wanted = json.load(sys.stdin)
    asked = Asked({name: wanted[name] for name in ("answer", "command", "node")})
    for name, question in wanted["questions"].items():
        asked.ask(name, question)
    docker, found = listed(wanted["answer"])
    again = threading.Thread(target=health.ask_again, args=(found,))
    again.start()
    questions = list(wanted["questions"])
    if docker[0] != 0:
        questions += wanted["silent"]
        for name, question in wanted["silent"].items():
            asked.ask(name, question)
    inside = []
    for service, its in wanted["inside"].items():
        for container, inspected in running(found, service).items():
            for name, question in its.items():
                inside.append((container, name))
                asked.ask(inside[-1], question, inspected)
    answers = asked.of([*questions, *inside])
    again.join()
    told = {
        "docker": docker,
        "containers": found,
        "answers": {name: answers[name] for name in questions},
        "inside": [[*key, answers[key]] for key in inside],
    }
    json.dump({"time": time.time(), **told}, sys.stdout)
    sys.stdout.flush()
    # Without waiting for whom hangs.
    os._exit(0)
