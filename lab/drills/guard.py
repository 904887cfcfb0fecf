"""Takes faults back, also if the drill that injected them was killed.

A process of its own. Its standard input ends with the drill, however that ends; then it takes back
all that it was told and that stands, the latest first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

from lab.config.paths import FOLDER
from lab.drills.faults import Action
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.errors import LabError

# Seconds: how long to try, as a node that was off has to boot first; between two tries; and how
# long a command of this machine may take, `vagrant up` of all nodes among them.
PATIENCE, PAUSE, LONGEST = 180.0, 1.0, 600
# Of this machine: one command at a time, also of a drill that was killed.
LOCK = FOLDER / ".lab" / "drill.lock"
TIMED_OUT = 124  # as `timeout` says it
READY, BACK, KEEP = "ready", "back", "keep"


class Standing:
    """Something that has to be taken back."""

    kept = False

    def keep(self) -> None:
        """Not to be taken back after all: somebody has to look at it."""
        self.kept = True


class Guard:
    """What a drill tells its guard."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @contextmanager
    def standing(self, undo: tuple[Action, ...]) -> Iterator[Standing]:
        """Takes it back when the block is left, or when this program ends, unless it was kept.

        Raises LabError with what could not be taken back, which after Ctrl-C is only said.
        """
        self._tell([asdict(command) for command in undo])
        standing = Standing()
        interrupted = False
        try:
            yield standing
        except KeyboardInterrupt:
            interrupted = True
            raise
        finally:
            try:
                self._tell(KEEP if standing.kept else BACK)
            except LabError as error:
                if not interrupted:
                    raise
                say("drill", str(error))

    def _tell(self, message: object) -> None:
        assert self._process.stdin and self._process.stdout  # noqa: S101 - both are pipes
        answer = ""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if answer != f"{READY}\n":
            raise LabError(f"not taken back: {answer.strip() or 'the guard ended'}")


@contextmanager
def guard(log: Path) -> Iterator[Guard]:
    """log: where it tells of what it could not take back after the drill was killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as errors:
        process = subprocess.Popen(
            (sys.executable, "-m", "lab.drills.guard"),
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # Not of this terminal's group: its Ctrl-C is for the drill.
            start_new_session=True,
            text=True,
        )
    # Leaving the block closes its input, and waits for it.
    with process:
        yield Guard(process)


def take_back(undo: tuple[Action, ...], seconds: float = PATIENCE) -> None:
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


def _in_turn(commands: list[Action], seconds: float) -> None:
    for command in commands:
        _until_done(command, seconds)


def _until_done(command: Action, seconds: float) -> None:
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


def run(command: Action) -> str:
    """Standard output. Waits for a command of a killed drill that still runs there.

    Raises LabError if it fails, or takes longer than LONGEST.
    """
    if command.node:
        # A connection of its own: an older one may have died with the node.
        with closing(Node(command.node)) as node:
            return node.change(*command.argv)
    # timeout ends all that the command began, or it would go on unseen.
    argv = ("flock", str(LOCK), "timeout", str(LONGEST), *command.argv)
    LOCK.parent.mkdir(exist_ok=True)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == TIMED_OUT:
        raise LabError(f"`{' '.join(command.argv)}` took longer than {LONGEST} s")
    if done.returncode != 0:
        said = done.stderr.strip()
        raise LabError(f"`{' '.join(command.argv)}` ended with {done.returncode}: {said}")
    return done.stdout


def main() -> int:
    standing: list[tuple[Action, ...]] = []
    for line in sys.stdin:
        message, answer = json.loads(line), READY
        if isinstance(message, list):
            standing.append(tuple(Action(one["node"], tuple(one["argv"])) for one in message))
        else:
            undo = standing.pop()
            answer = _tried(undo) if message == BACK else READY
        _answer(answer)
    failed = [said for said in map(_tried, reversed(standing)) if said != READY]
    for said in failed:
        print(f"{time.strftime('%F %T')} not taken back: {said}", file=sys.stderr)
    return bool(failed)


def _answer(answer: str) -> None:
    """A drill that was killed while it waited for it reads none."""
    try:
        print(answer, flush=True)
    except BrokenPipeError:
        # Or Python would try it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tried(undo: tuple[Action, ...]) -> str:
    try:
        take_back(undo)
    except LabError as error:
        return " | ".join(str(error).splitlines())
    return READY


if __name__ == "__main__":
    sys.exit(main())
