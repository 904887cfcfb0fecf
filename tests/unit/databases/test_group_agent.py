"""The MySQL group agent's decisions: observations in, what it does and answers out."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from lab.config.paths import FOLDER

sys.path.append(str(FOLDER / "images/mysql"))

from group_agent import endpoint, gtids, room
from group_agent.decide import (
    Act,
    Member,
    Observation,
    Phase,
    Role,
    State,
    is_confirmed,
    next_step,
    status,
)

A, B, C = "10.0.0.9", "10.0.0.10", "10.0.0.11"
GROUP = "6f1c1d4e-0000-4000-8000-000000000001"

ONLINE, RECOVERING, UNREACHABLE = State.ONLINE, State.RECOVERING, State.UNREACHABLE
OFFLINE, ERROR = State.OFFLINE, State.ERROR
PRIMARY, SECONDARY = Role.PRIMARY, Role.SECONDARY


def member(address: str, state: State, role: Role = SECONDARY) -> Member:
    return Member(uuid=f"uuid of {address}", address=address, state=state, role=role)


def seen(address: str, *members: Member, has: str = "") -> Observation:
    return Observation(address=address, members=members, gtids=f"{GROUP}:{has}" if has else "")


def outside(address: str, state: State = OFFLINE, has: str = "") -> Observation:
    return seen(address, member(address, state, Role.NONE), has=has)


def down(address: str) -> Observation:
    return Observation(address=address, answers=False)


def group_seen_by(
    address: str, a: State = ONLINE, b: State = ONLINE, c: State = ONLINE
) -> Observation:
    return seen(address, member(A, a, PRIMARY), member(B, b), member(C, c), has="1-9")


@pytest.mark.parametrize(
    ("whole", "part", "expected"),
    [
        pytest.param("", "", True, id="nothing is in nothing"),
        pytest.param("u:1-5", "", True, id="nothing is in everything"),
        pytest.param("", "u:1", False, id="something is not in nothing"),
        pytest.param("u:1-5", "u:2-5", True, id="a part of an interval"),
        pytest.param("u:1-5", "u:5-6", False, id="an overlap"),
        pytest.param("u:1-5:7-9", "u:4-8", False, id="across a hole"),
        pytest.param("u:1-5:6-9", "u:4-8", True, id="across touching intervals"),
        pytest.param("u:1-3,u:4", "u:1-4", True, id="executed and received, put together"),
        pytest.param("u:1-9", "v:1", False, id="of another source"),
        pytest.param("u:1:tag:1-4", "u:tag:2", True, id="tagged"),
        pytest.param("u:1-9", "u:tag:2", False, id="the tag makes it another source"),
        pytest.param("U:1-3,\nV:1", "v:1,u:3", True, id="case and line breaks don't matter"),
    ],
)
def test_gtid_set_contains(whole: str, part: str, expected: bool) -> None:
    assert gtids.contains(whole, part) is expected


@pytest.mark.parametrize(
    ("me", "b", "c", "expected"),
    [
        pytest.param(outside(A), outside(B), outside(C), Act.BOOTSTRAP, id="all empty: the lowest"),
        pytest.param(outside(A), outside(B, has="1"), outside(C), Act.WAIT, id="another has more"),
        pytest.param(
            outside(A, has="1-9"),
            outside(B, has="1-8"),
            outside(C),
            Act.BOOTSTRAP,
            id="this one has most",
        ),
        pytest.param(
            outside(A, ERROR, has="1-9"),
            outside(B, ERROR, has="1-9"),
            outside(C),
            Act.BOOTSTRAP,
            id="expelled servers are outside, too",
        ),
        pytest.param(
            outside(A, has="1-5:7"),
            outside(B, has="1-6"),
            outside(C),
            Act.REFUSE,
            id="diverged: nobody has all",
        ),
        pytest.param(outside(A, has="1-9"), None, outside(C), Act.WAIT, id="one does not answer"),
        pytest.param(
            outside(A, has="1-9"), down(B), outside(C), Act.WAIT, id="one has no mysqld yet"
        ),
        pytest.param(outside(A, has="1-9"), None, None, Act.WAIT, id="nobody answers"),
        pytest.param(
            outside(A),
            group_seen_by(B, a=UNREACHABLE),
            None,
            Act.JOIN,
            id="a group exists, whoever else is away",
        ),
        pytest.param(
            outside(A),
            seen(B, member(B, RECOVERING)),
            outside(C),
            Act.JOIN,
            id="a group is being founded",
        ),
        pytest.param(
            outside(A, ERROR),
            group_seen_by(B),
            group_seen_by(C),
            Act.JOIN,
            id="expelled, comes back",
        ),
        pytest.param(
            outside(A, has="1-9"),
            group_seen_by(B, UNREACHABLE, ONLINE, UNREACHABLE),
            outside(C),
            Act.WAIT,
            id="a minority may still become the majority",
        ),
        pytest.param(
            outside(A, has="1-10"),
            group_seen_by(B),
            group_seen_by(C),
            Act.REFUSE,
            id="has what the group has not",
        ),
        pytest.param(group_seen_by(A), outside(B), outside(C), Act.NOTHING, id="already in"),
        pytest.param(group_seen_by(A, RECOVERING), None, None, Act.NOTHING, id="on the way in"),
        pytest.param(down(A), outside(B), outside(C), Act.NOTHING, id="mysqld is not up"),
    ],
)
def test_how_a_server_gets_into_the_group(
    me: Observation, b: Observation | None, c: Observation | None, expected: Act
) -> None:
    step = next_step(me, {B: b, C: c})
    assert step.act == expected, step.reason


@pytest.mark.parametrize(
    "sets", [("", "", ""), ("1-9", "1-9", ""), ("1", "1-9", "1-9"), ("", "1", "")]
)
def test_exactly_one_of_three_starts_the_group(sets: tuple[str, str, str]) -> None:
    servers = [outside(address, has=has) for address, has in zip((A, B, C), sets, strict=True)]
    acts = [
        next_step(me, {other.address: other for other in servers if other is not me}).act
        for me in servers
    ]
    assert sorted(acts, key=str) == [Act.BOOTSTRAP, Act.WAIT, Act.WAIT]


def test_a_refusal_names_the_servers_and_their_transactions() -> None:
    step = next_step(outside(A, has="1-5:7"), {B: outside(B, has="1-6"), C: outside(C)})
    assert f"{A} has {GROUP}:1-5:7" in step.reason
    assert f"{B} has {GROUP}:1-6" in step.reason


@pytest.mark.parametrize(
    ("me", "primary", "replica", "health"),
    [
        pytest.param(group_seen_by(A), 200, 503, 200, id="primary"),
        pytest.param(group_seen_by(B), 503, 200, 200, id="replica"),
        pytest.param(group_seen_by(A, c=UNREACHABLE), 200, 503, 200, id="primary of two"),
        pytest.param(
            group_seen_by(A, b=UNREACHABLE, c=UNREACHABLE),
            503,
            503,
            503,
            id="primary without a majority",
        ),
        pytest.param(
            seen(A, member(A, ONLINE, PRIMARY), member(B, UNREACHABLE)),
            503,
            503,
            503,
            id="half is no majority",
        ),
        pytest.param(group_seen_by(B, b=RECOVERING), 503, 503, 503, id="still catching up"),
        pytest.param(outside(A, ERROR), 503, 503, 503, id="expelled"),
        pytest.param(outside(A), 503, 503, 503, id="not yet in"),
        pytest.param(down(A), 503, 503, 503, id="no mysqld"),
    ],
)
def test_what_a_balancer_is_told(me: Observation, primary: int, replica: int, health: int) -> None:
    answers = [
        status(path, me, phase=Phase.SERVING, age=0.1, held=False)
        for path in ("/primary", "/replica", "/health", "/state", "/else")
    ]
    assert answers == [primary, replica, health, 200, 404]


@pytest.mark.parametrize(
    ("phase", "age", "held", "primary", "replica"),
    [
        pytest.param(Phase.SERVING, 1.4, False, 200, 200, id="six polls old"),
        pytest.param(Phase.SERVING, 1.5, False, 503, 503, id="too old"),
        pytest.param(Phase.SERVING, 0.1, True, 503, 503, id="held back after a pause"),
        pytest.param(Phase.HANDING_OVER, 0.1, False, 200, 503, id="primary until it is none"),
        pytest.param(Phase.LEAVING, 0.1, False, 503, 503, id="about to stop"),
    ],
)
def test_when_a_good_member_is_told_apart(
    phase: Phase, age: float, held: bool, primary: int, replica: int
) -> None:
    assert status("/primary", group_seen_by(A), phase=phase, age=age, held=held) == primary
    assert status("/replica", group_seen_by(B), phase=phase, age=age, held=held) == replica


@pytest.mark.parametrize(
    ("me", "b", "c", "expected"),
    [
        pytest.param(
            group_seen_by(A), group_seen_by(B), None, True, id="one of two shares the view"
        ),
        pytest.param(group_seen_by(A), None, None, False, id="nobody answers"),
        pytest.param(
            group_seen_by(A),
            group_seen_by(B, a=UNREACHABLE),
            group_seen_by(C, a=UNREACHABLE),
            False,
            id="suspected",
        ),
        pytest.param(
            group_seen_by(A),
            seen(B, member(B, ONLINE, PRIMARY), member(C, ONLINE)),
            None,
            False,
            id="expelled, and does not know",
        ),
        pytest.param(
            seen(A, member(A, ONLINE, PRIMARY)),
            outside(B),
            None,
            True,
            id="alone in the group, nobody could go on without it",
        ),
        pytest.param(
            seen(A, member(A, ONLINE, PRIMARY), member(B, ONLINE)),
            None,
            None,
            False,
            id="half of a group of two is no majority",
        ),
    ],
)
def test_when_a_paused_server_is_trusted_again(
    me: Observation, b: Observation | None, c: Observation | None, expected: bool
) -> None:
    assert is_confirmed(me, {B: b, C: c}) is expected


def with_free(observation: Observation, free: int) -> Observation:
    return replace(observation, free=free)


def of_three(b: int | None, c: int | None) -> dict[str, Observation | None]:
    """The other two, with so many MiB free; None: no answer."""
    return {
        B: None if b is None else with_free(group_seen_by(B), b),
        C: None if c is None else with_free(group_seen_by(C), c),
    }


@pytest.mark.parametrize(
    ("me", "b", "c", "expected"),
    [
        pytest.param(group_seen_by(A), 900, 900, B, id="the primary has one"),
        pytest.param(group_seen_by(A, b=RECOVERING), 900, 900, C, id="that is ready"),
        pytest.param(group_seen_by(A, b=RECOVERING, c=UNREACHABLE), 900, None, None, id="or none"),
        pytest.param(group_seen_by(A), 127, 128, C, id="rather one with room"),
        pytest.param(group_seen_by(A), None, 128, C, id="that says so"),
        pytest.param(group_seen_by(A), 3, None, B, id="than nobody"),
        pytest.param(group_seen_by(B), 900, 900, None, id="a replica hands nothing over"),
        pytest.param(outside(A), 900, 900, None, id="outside there is nothing to hand over"),
    ],
)
def test_who_takes_over(
    me: Observation, b: int | None, c: int | None, expected: str | None
) -> None:
    heir = room.successor(me, of_three(b, c))
    assert (heir.address if heir else None) == expected


@pytest.mark.parametrize(
    ("me", "free", "b", "c", "expected"),
    [
        pytest.param(group_seen_by(A), 64, 900, 900, None, id="not short yet"),
        pytest.param(group_seen_by(A), 63, 900, 900, B, id="short"),
        pytest.param(group_seen_by(A), 63, 127, 128, C, id="only to one with room"),
        pytest.param(group_seen_by(A), 0, 127, 127, None, id="nobody has room"),
        pytest.param(group_seen_by(A), 63, None, None, None, id="nobody says that it has room"),
        pytest.param(group_seen_by(A, b=RECOVERING), 63, 900, 64, None, id="nobody is ready"),
        pytest.param(group_seen_by(B), 63, 900, 900, None, id="a replica has nothing to give"),
    ],
)
def test_a_primary_whose_disk_is_short_hands_over(
    me: Observation, free: int, b: int | None, c: int | None, expected: str | None
) -> None:
    heir = room.relief(with_free(me, free), of_three(b, c))
    assert (heir.address if heir else None) == expected


@pytest.mark.parametrize(
    ("me", "free", "others", "expected"),
    [
        pytest.param(group_seen_by(A), 8, of_three(900, 900), False, id="not full yet"),
        pytest.param(group_seen_by(A), 7, of_three(900, 900), True, id="full primary"),
        pytest.param(group_seen_by(B), 7, of_three(900, 900), True, id="full replica"),
        pytest.param(down(A), 0, of_three(900, 900), True, id="it waits, and answers nothing"),
        pytest.param(group_seen_by(A), 0, of_three(64, 64), True, id="the others just have room"),
        pytest.param(group_seen_by(A), 0, of_three(63, 900), False, id="another one is short"),
        pytest.param(group_seen_by(A), 0, of_three(None, 900), False, id="another one is away"),
        pytest.param(group_seen_by(A), 0, of_three(None, None), False, id="all others are away"),
        pytest.param(
            group_seen_by(A),
            0,
            {
                B: with_free(group_seen_by(B, a=UNREACHABLE, c=UNREACHABLE), 900),
                C: with_free(group_seen_by(C, a=UNREACHABLE, b=UNREACHABLE), 900),
            },
            False,
            id="the others have no majority",
        ),
        pytest.param(
            group_seen_by(A),
            0,
            {B: with_free(outside(B), 900), C: with_free(outside(C), 900)},
            False,
            id="the others are in no group",
        ),
        pytest.param(
            seen(A, member(A, ONLINE, PRIMARY), member(B, ONLINE)),
            0,
            {B: with_free(seen(B, member(A, ONLINE, PRIMARY), member(B, ONLINE)), 900), C: None},
            False,
            id="half of a group of two would be no majority",
        ),
    ],
)
def test_a_server_whose_disk_is_full_ends_if_the_others_go_on(
    me: Observation, free: int, others: dict[str, Observation | None], expected: bool
) -> None:
    assert room.is_to_end(with_free(me, free), others) is expected


def test_of_two_servers_that_fill_up_at_once_none_ends() -> None:
    """Whatever the order in which they tell of it and ask: here both have told."""
    a, b = with_free(group_seen_by(A), 0), with_free(group_seen_by(B), 0)
    c = with_free(group_seen_by(C), 900)
    assert not room.is_to_end(a, {B: b, C: c})
    assert not room.is_to_end(b, {A: a, C: c})


@pytest.mark.parametrize(("free", "expected"), [(0, False), (8, False), (127, False), (128, True)])
def test_mysqld_starts_with_more_room_than_that_for_want_of_which_it_ended(
    free: int, expected: bool
) -> None:
    assert room.may_run(free) is expected


def test_what_a_server_tells_of_itself_is_what_the_others_read() -> None:
    told = with_free(group_seen_by(A), 300)
    reported = endpoint.report(told, age=0.1, held=False)
    assert endpoint.observation(reported) == told
    # The servers are replaced one by one: an older agent says nothing of its disk.
    del reported["free"]
    assert endpoint.observation(reported) == with_free(told, 0)


@pytest.mark.parametrize(
    ("request_line", "first"),
    [
        (b"GET /primary HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
        (b"GET /replica HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.0 503 Service Unavailable\r\n"),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", b"HTTP/1.0 404 Not Found\r\n"),
        (b"PUT /primary HTTP/1.0\r\n\r\n", b"HTTP/1.0 501 Not Implemented\r\n"),
        (b"\x16\x03\x01\xff", b"HTTP/1.0 501 Not Implemented\r\n"),
        (b"", b"HTTP/1.0 501 Not Implemented\r\n"),
    ],
)
def test_the_endpoint_s_answer(request_line: bytes, first: bytes) -> None:
    board = endpoint.Board(group_seen_by(A), observed=time.monotonic())
    head, _, body = endpoint.answer(request_line, board).partition(b"\r\n\r\n")
    assert head.startswith(first)
    assert f"Content-Length: {len(body)}".encode() in head
    assert endpoint.observation(json.loads(body)) == group_seen_by(A)


def test_a_client_that_asks_nothing_keeps_no_other_waiting(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "PORT", 0)
    board = endpoint.Board(replace(group_seen_by(A), address="127.0.0.1"))
    served = endpoint.Endpoint(board)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    address = served.listener.getsockname()
    with ExitStack() as clients:
        for _ in range(10):
            clients.enter_context(socket.create_connection(address))
        with socket.create_connection(address) as client:
            time.sleep(0.2)  # whoever asks a moment later is answered, too
            began = time.monotonic()
            client.sendall(b"GET /state HTTP/1.0\r\n\r\n")
            with client.makefile("rb") as answer:
                assert answer.read().startswith(b"HTTP/1.0 200 OK\r\n")
            assert time.monotonic() - began < endpoint.TIMEOUT


CHILD = """
import sys, time
sys.path.append(sys.argv[1])
from group_agent import process
process.MYSQLD = ("sh", "-c", sys.argv[2])
server = process.Mysqld()
server.start()
print(server.runs, flush=True)
for act in sys.argv[3:]:
    getattr(server, act)()
while server.runs:
    if (code := server.ended()) is not None:
        print(code, server.runs, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("script", "acts", "expected"),
    [
        pytest.param("exit 16", (), "True\n16 False\n", id="its exit status"),
        pytest.param("exec sleep 60", ("kill",), "True\n-9 False\n", id="killed"),
        pytest.param("exec sleep 60", ("end",), "True\n-15 False\n", id="told to end"),
        pytest.param("exec sleep 60", ("end", "start"), "True\n-15 False\n", id="for good"),
        pytest.param("(sleep 0) & exec sleep 60", ("kill",), "True\n-9 False\n", id="orphans"),
    ],
)
def test_mysqld_as_a_child(script: str, acts: tuple[str, ...], expected: str) -> None:
    """In a process of its own, as it reaps whatever child there is."""
    images = str(FOLDER / "images/mysql")
    done = subprocess.run(
        (sys.executable, "-c", CHILD, images, script, *acts),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == (expected, "")
