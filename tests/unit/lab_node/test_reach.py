"""Which of some places can be connected to."""

import socket

import pytest

from lab_node import reach


def test_only_places_that_fail_are_told_and_why():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        there, not_there = (f"127.0.0.1:{one.getsockname()[1]}" for one in (server, closed))
        assert reach.unreached([there, not_there], 2.0) == {not_there: "Connection refused"}


@pytest.fixture
def full():
    """A place whose kernel answers no more connections, as nobody takes those that wait."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        place = server.getsockname()
        with socket.create_connection(place):
            yield f"127.0.0.1:{place[1]}"


def test_what_says_nothing_is_waited_for_so_long_and_hides_no_other(full):
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        assert reach.unreached([full, there], 0.2) == {full: "no answer within 0.2 s"}


def test_no_places_are_no_answer():
    assert reach.unreached([], 2.0) == {}
