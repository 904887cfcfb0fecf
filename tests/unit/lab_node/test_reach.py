"""Which of some places can be connected to."""

import socket

from lab_node import reach


def test_only_places_that_fail_are_told_and_why(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        there, not_there = (f"127.0.0.1:{one.getsockname()[1]}" for one in (server, closed))
        monkeypatch.setattr("sys.argv", ["lab-reach", there, not_there, "no.such.invalid:80"])
        reach.main()
    refused, unknown = capsys.readouterr().out.splitlines()
    assert refused == f"{not_there} Connection refused"
    assert unknown.startswith("no.such.invalid:80 ")


def test_what_says_nothing_is_waited_for_so_long_and_no_longer(monkeypatch):
    def create_connection(_, timeout):
        raise TimeoutError(f"after {timeout}")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    assert reach.why_not("192.0.2.1:80") == "no answer within 2 s"


def test_no_places_are_no_answer(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["lab-reach"])
    reach.main()
    assert capsys.readouterr().out == ""
