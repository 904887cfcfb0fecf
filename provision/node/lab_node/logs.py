"""Prints the logs of the lab's containers on this node: SERVICE, a tab, CONTAINER, a tab, the line.

usage: lab-logs SERVICE LINES [--follow]   (SERVICE empty: all; LINES: past ones of each container)
Following takes up containers that start later, and ends with standard input.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable

FORM = '{{.ID}} {{.Label "lab.service"}} {{.Names}}'
EVENT = (
    "{{.Action}} {{.TimeNano}} {{.Actor.ID}}"
    ' {{index .Actor.Attributes "lab.service"}} {{.Actor.Attributes.name}}'
)

lock = threading.Lock()


def output(*command: str) -> Iterable[bytes]:
    """The lines of a program that has been started, with its errors among them."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return process.stdout or ()


def show(identity: str, service: str, name: str, *options: str) -> threading.Thread:
    def copy() -> None:
        for line in output("docker", "logs", *options, identity):
            with lock:
                shown = f"{service}\t{name}\t".encode() + line.rstrip(b"\r\n") + b"\n"
                sys.stdout.buffer.write(shown)
                sys.stdout.buffer.flush()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def follow_started(events: Iterable[bytes], followed: set[str]) -> None:
    """Shows what starts from now on: a new container from its first line, another from its end."""
    ended: dict[str, str] = {}
    for event in events:
        action, nanoseconds, identity, service, name = event.decode().split()
        if action == "die":
            followed.discard(identity)
            ended[identity] = f"{nanoseconds[:-9]}.{nanoseconds[-9:]}"
        elif identity not in followed:
            followed.add(identity)
            since = ("--since", ended[identity]) if identity in ended else ()
            show(identity, service, name, "--follow", *since)


def end_with_input() -> None:
    sys.stdin.read()
    # Docker's clients too: one that follows a silent container would never notice.
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    service, lines, *follow = sys.argv[1:]
    labelled = ("--filter", f"label=lab.service{'=' + service if service else ''}")
    events: Iterable[bytes] = ()
    if follow:
        os.setpgid(0, 0)
        threading.Thread(target=end_with_input, daemon=True).start()
        # Before the list is made: what starts meanwhile is in one of the two, or in both.
        kinds = ("--filter", "type=container", "--filter", "event=start", "--filter", "event=die")
        events = output("docker", "events", *labelled, *kinds, "--format", EVENT)
    listing = ("docker", "ps", "--all", "--no-trunc", *labelled, "--format", FORM)
    listed = subprocess.run(listing, check=True, capture_output=True, text=True)
    found = [line.split() for line in listed.stdout.splitlines()]
    threads = [show(*one, "--tail", lines, *follow) for one in found]
    if follow:
        follow_started(events, {identity for identity, *_ in found})
        sys.exit("lab-logs: Docker has ended")
    for thread in threads:
        thread.join()
