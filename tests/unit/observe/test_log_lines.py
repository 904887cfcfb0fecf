"""Lines of logs as they are shown."""

import json

import pytest

from lab.observe import log_lines
from lab.plan.plans import ALL

NODES = ("ubuntu1", "ubuntu10")


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        (
            {
                "time": "2026-11-24T15:19:14.819Z",
                "request_id": "a-1",
                **{"method": "GET", "uri": "/posts/", "status": 200, "server": "ubuntu2"},
                **{"backend": "nginx", "total_ms": 550},
            },
            "15:19:14.819 200 GET /posts/  550 ms ubuntu2  a-1",
        ),
        (
            {
                "time": "2026-11-24T15:19:14.819Z",
                **{"backend": "mysql_primary", "server": "ubuntu1", "total_ms": 60012},
            },
            "15:19:14.819 mysql_primary ubuntu1  60012 ms  -",
        ),
        (
            {
                "time": "2026-11-24T15:19:14+00:00",
                "logger": "nginx",
                "request_id": "a-1",
                **{"method": "GET", "path": "/x", "status": 404, "seconds": 0.015},
            },
            "15:19:14 404 GET /x  15 ms  a-1",
        ),
        (
            {
                "time": "2026-11-24T15:19:14.819+00:00",
                "logger": "access",
                "request_id": "a-1",
                **{"method": "POST", "path": "/posts/create", "status": 302, "ms": 14.7},
            },
            "15:19:14.819 302 POST /posts/create  14.7 ms  a-1",
        ),
        (
            {
                "time": "2026-11-24T15:19:14.819+00:00",
                "logger": "access",
                "request_id": "a-1",
                **{"method": "GET", "path": "/", "status": 400, "ms": 1.2, "reason": "no host"},
            },
            "15:19:14.819 400 GET /  1.2 ms (no host)  a-1",
        ),
        (
            {
                "time": "2026-11-24T15:19:14.819+00:00",
                "logger": "project.health",
                "level": "error",
                "message": "not ready",
                "exception": "Traceback:\nValueError: x",
            },
            "15:19:14.819 error project.health: not ready  -\n    Traceback:\n    ValueError: x",
        ),
    ],
    ids=["HAProxy's web", "HAProxy's MySQL", "nginx", "Django's", "Django's refusal", "Django"],
)
def test_json_lines_are_readable(logged, shown):
    assert log_lines.readable(json.dumps(logged)) == shown


@pytest.mark.parametrize("line", ["", "mysqld: ready", "{not JSON", '{"another": "program"}', "{}"])
def test_all_other_lines_stay_as_they_are(line):
    assert log_lines.readable(line) == line


def test_lines_stand_behind_their_node_and_container_in_colours_of_their_own():
    task = "webapp_nginx." + 2 * "0123456789abcdefghijklmn8."
    printed = f"nginx\t{task[:-1]}\tsaid\twith a tab"
    shown = log_lines.shown(NODES, "ubuntu1", printed, raw=False)
    assert shown.plain == "ubuntu1   webapp_nginx  said\twith a tab"
    colours = [(shown.plain[span.start : span.end], span.style) for span in shown.spans]
    assert colours == [("ubuntu1 ", "cyan"), ("webapp_nginx", "bright_blue")]


def test_every_program_and_the_lab_s_nodes_have_colours_of_their_own():
    nodes = ("ubuntu1", "ubuntu2", "ubuntu3", "ubuntu4")
    lines = [log_lines.shown(nodes, nodes[0], f"{one}\tx\t", raw=True) for one in ALL]
    assert len({line.spans[1].style for line in lines}) == len(ALL)
    lines = [log_lines.shown(nodes, node, "nginx\tx\t", raw=True) for node in nodes]
    assert len({line.spans[0].style for line in lines}) == len(nodes)


def test_raw_lines_are_as_they_were_logged():
    line = '{"time": "2026-11-24T15:19:14.819Z", "uri": "/"}'
    shown = log_lines.shown(NODES, "ubuntu10", f"haproxy\thaproxy\t{line}", raw=True)
    assert shown.plain == f"ubuntu10  haproxy  {line}"
