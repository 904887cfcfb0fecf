"""Takes faults back, also if the drill that injected them was killed.

A process of its own: its standard input ends with the drill, however that ends, and then it takes
back all that it was told and that stands, the latest fault first. Its standard output is the
drill's to read; whoever was killed does not read it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial

from lab.drills.faults import Command
from lab.errors import LabError
from lab.progress import together
from lab.remote import Node
from lab.topology import FOLDER

# Seconds: how long to try, as a node that was off has to boot first, and between two tries.
PATIENCE, PAUSE = 180.0, 1.0


@contextmanager
def guarded(undo: tuple[Command, ...]) -> Iterator[None]:
    """Takes a fault back when the block is left, or when this program ends.

    Raises LabError with what could not be taken back.
    """
    # Not of this terminal's group: its Ctrl-C is for the drill.
    guard = subprocess.Popen(
        (sys.executable, "-m", "lab.drills.guard"),
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert guard.stdin and guard.stdout  # noqa: S101 - both are pipes
    guard.stdin.write(json.dumps([asdict(command) for command in undo]) + "\n")
    guard.stdin.flush()
    # From here on the fault is taken back, whatever happens.
    if guard.stdout.readline() != "ready\n":
        raise LabError("the drill's guard did not start: `.venv/bin/python -m lab.drills.guard`")
    try:
        yield
    finally:
        guard.stdin.close()
        said = guard.stdout.read()
        if guard.wait() != 0:
            raise LabError(f"not taken back: {said.strip()}")


def take_back(undo: tuple[Command, ...], seconds: float = PATIENCE) -> None:
    """Runs the commands, those of different machines at the same time."""
    places = dict.fromkeys(command.node for command in undo)
    together(
        {
            place or "this machine": partial(
                _in_turn, [one for one in undo if one.node == place], seconds
            )
            for place in places
        }
    )


def _in_turn(commands: list[Command], seconds: float) -> None:
    for command in commands:
        _until_done(command, seconds)


def _until_done(command: Command, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            run(command)
        except LabError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return


def run(command: Command) -> str:
    """Standard output. Raises LabError if it fails."""
    if command.node:
        # A connection of its own: an older one may have died with the node.
        return Node(command.node).run(*command.argv)
    done = subprocess.run(command.argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"`{' '.join(command.argv)}` ended with {done.returncode}: {done.stderr}")
    return done.stdout


def main() -> int:
    undo = [Command(one["node"], tuple(one["argv"])) for one in json.loads(sys.stdin.readline())]
    print("ready", flush=True)
    sys.stdin.read()
    try:
        take_back(tuple(undo))
    except LabError as error:
        with suppress(OSError):
            print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
