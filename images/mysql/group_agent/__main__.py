"""Runs mysqld, keeps it in the group, and steps aside before it stops."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import MySQLdb  # type: ignore[import-untyped]

from group_agent import decide, endpoint, room, server
from group_agent.decide import Act, Member, Observation, Phase, State, Step
from group_agent.endpoint import Board, Endpoint
from group_agent.process import RESTART, Mysqld

# Seconds.
POLL = 0.25
TICK = 0.1
RETRY = 1.0  # a server that refused is not asked again at once
DRAIN = 1.5  # a balancer ends a server's sessions after two checks (0.5 s) that say 503


class Agent:
    def __init__(self, address: str, others: tuple[str, ...], password: str) -> None:
        self._others = others
        self._password = password
        self._board = Board(Observation(address=address, answers=False))
        self._poller = server.Poller(address)
        self._answered = time.monotonic()
        self._starting = threading.Lock()
        self._relieving = threading.Lock()
        self._step = Step(Act.NOTHING)
        self._mysqld = Mysqld()
        self._full = False  # mysqld was ended, or not started, for want of room

    def run(self) -> int:
        """Until mysqld ends for good; returns its exit status."""
        threading.excepthook = crash
        signal.signal(signal.SIGTERM, self._on_sigterm)
        in_background(Endpoint(self._board).serve_forever)
        in_background(self._watch)
        while True:
            code = self._mysqld.ended()
            serving = self._board.phase == Phase.SERVING
            if code is not None:
                log(f"mysqld ended with {code}")
                if not (serving and (self._full or code == RESTART)):
                    return code if code >= 0 else 128 - code
            if not self._mysqld.runs:
                if not serving:
                    return 0
                self._start_if_there_is_room()
            time.sleep(TICK)

    def _start_if_there_is_room(self) -> None:
        free = server.free()
        if room.may_run(free):
            self._full = False
            self._mysqld.start()
        elif not self._full:
            log(f"not started: {free} MiB are free on its disk, and {room.ROOM} are needed")
            self._full = True

    def _watch(self) -> None:
        while True:
            self._observe()
            self._heed_room()
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

    def _heed_room(self) -> None:
        me = self._board.observation
        if me.free >= room.SHORT or self._board.phase != Phase.SERVING or not self._mysqld.runs:
            return
        others = endpoint.others(self._others)
        if room.is_to_end(me, others):
            log(f"disk full: {me.free} MiB are free; mysqld waits for {room.ROOM}")
            self._full = True
            self._mysqld.kill()  # waiting for room, it would not shut down
        elif (heir := room.relief(me, others)) and self._relieving.acquire(blocking=False):
            log(f"disk short: {me.free} MiB are free")
            in_background(lambda: self._relieve(heir))

    def _relieve(self, heir: Member) -> None:
        try:
            if not hand_over(heir):
                time.sleep(RETRY)
        finally:
            self._relieving.release()

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
        others = endpoint.others(self._others)
        if heir := room.successor(self._board.observation, others):
            hand_over(heir)
        self._board.phase = Phase.LEAVING
        self._drain()
        self._mysqld.end()

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN
        try:
            while time.monotonic() < deadline and server.client_count():
                time.sleep(0.1)
        except MySQLdb.Error as error:
            log(f"not drained: {error}")


def hand_over(heir: Member) -> bool:
    """Whether another server is the primary now."""
    begun = time.monotonic()
    try:
        server.hand_over(heir.uuid)
    except MySQLdb.Error as error:
        log(f"not handed over to {heir.address}: {error}")
        return False
    log(f"handed over to {heir.address} in {time.monotonic() - begun:.1f} s")
    return True


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
