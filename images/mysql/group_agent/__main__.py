"""Runs mysqld, keeps it in the group, and steps aside before it stops."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import MySQLdb  # type: ignore[import-untyped]

from group_agent import decide, endpoint, server
from group_agent.decide import Act, Observation, Phase, State, Step
from group_agent.endpoint import Board, Endpoint

MYSQLD = ("mysqld", "--defaults-file=/etc/my.cnf")
RESTART = 16  # mysqld's exit status when it asks to be started again, as after a clone

# Seconds.
POLL = 0.25
RETRY = 1.0
DRAIN = 1.5  # a balancer ends a server's sessions after two checks (0.5 s) that say 503


class Agent:
    def __init__(self, address: str, others: tuple[str, ...], password: str) -> None:
        self._others = others
        self._password = password
        self._board = Board(Observation(address=address, answers=False))
        self._poller = server.Poller(address)
        self._answered = time.monotonic()
        self._starting = threading.Lock()
        self._step = Step(Act.NOTHING)
        self._mysqld = start_mysqld()

    def run(self) -> int:
        """Until mysqld ends for good; returns its exit status."""
        threading.excepthook = crash
        signal.signal(signal.SIGTERM, self._on_sigterm)
        in_background(Endpoint(self._board).serve_forever)
        in_background(self._watch)
        while True:
            pid, status = os.wait()  # for orphans, too: this is process 1
            if pid != self._mysqld.pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            log(f"mysqld ended with {code}")
            if code != RESTART or self._board.phase != Phase.SERVING:
                return code if code >= 0 else 128 - code
            self._mysqld = start_mysqld()

    def _watch(self) -> None:
        while True:
            self._observe()
            if self._board.held:
                self._confirm()
            if self._board.phase == Phase.SERVING and not self._starting.locked():
                self._get_into_group()
            time.sleep(POLL)

    def _observe(self) -> None:
        board, before = self._board, time.monotonic()
        now = self._poller.observe()
        if (now.state, now.role) != (board.observation.state, board.observation.role):
            log(f"{now.state} {now.role}".strip())
        if now.answers:
            unknown_for = time.monotonic() - self._answered
            if now.state == State.ONLINE and unknown_for > decide.PAUSE:
                log("was paused: held back until the others confirm its role")
                board.held = True
            self._answered = before
        board.observation = now
        board.observed = before  # last: until then, what the pause left is stale

    def _confirm(self) -> None:
        me = self._board.observation
        if me.state != State.ONLINE or decide.is_confirmed(me, endpoint.others(self._others)):
            log("no longer held back")
            self._board.held = False

    def _get_into_group(self) -> None:
        me = self._board.observation
        step = Step(Act.NOTHING)
        if decide.is_outside(me):
            step = decide.next_step(me, endpoint.others(self._others))
        if step != self._step and step.reason:
            log(f"{step.act.value}: {step.reason}")
        self._step = step
        if step.act in (Act.JOIN, Act.BOOTSTRAP):
            self._starting.acquire()
            in_background(lambda: self._start(bootstrap=step.act == Act.BOOTSTRAP))

    def _start(self, *, bootstrap: bool) -> None:
        begun = time.monotonic()
        try:
            server.start_replication(self._password, bootstrap=bootstrap)
            log(f"in the group after {time.monotonic() - begun:.1f} s")
        except MySQLdb.Error as error:
            log(f"not in the group: {error}")
            time.sleep(RETRY)
        finally:
            self._starting.release()

    def _on_sigterm(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        in_background(self._leave)

    def _leave(self) -> None:
        self._board.phase = Phase.HANDING_OVER
        self._hand_over()
        self._board.phase = Phase.LEAVING
        self._drain()
        self._mysqld.terminate()

    def _hand_over(self) -> None:
        successor = decide.successor(self._board.observation)
        if successor is None:
            return
        begun = time.monotonic()
        try:
            server.hand_over(successor.uuid)
            log(f"handed over to {successor.address} in {time.monotonic() - begun:.1f} s")
        except MySQLdb.Error as error:
            log(f"not handed over to {successor.address}: {error}")

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN
        try:
            while time.monotonic() < deadline and server.client_count():
                time.sleep(0.1)
        except MySQLdb.Error as error:
            log(f"not drained: {error}")


def start_mysqld() -> subprocess.Popen[bytes]:
    # It tells mysqld that somebody starts it again: it then ends with RESTART instead of an error.
    return subprocess.Popen(MYSQLD, env={**os.environ, "MYSQLD_PARENT_PID": str(os.getpid())})


def in_background(task: Callable[[], None]) -> None:
    threading.Thread(target=task, daemon=True).start()


def crash(args: threading.ExceptHookArgs) -> None:
    """Ends the container: a server that nobody watches must not go on, and it survives a kill."""
    threading.__excepthook__(args)
    os._exit(1)


def log(message: str) -> None:
    print(f"group-agent: {message}", file=sys.stderr, flush=True)


def main() -> int:
    address = os.environ["MYSQL_ADDRESS"]
    members = os.environ["MYSQL_GROUP_MEMBERS"].split(",")
    password = Path(os.environ["MYSQL_REPLICATION_PASSWORD_FILE"]).read_text().strip()
    return Agent(address, tuple(m for m in members if m != address), password).run()


sys.exit(main())
