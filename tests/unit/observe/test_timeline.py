"""What the programs logged of a request, and the timeline that it makes."""

import json

import pytest

from lab.observe import timeline, trace_lines

ID = "5f0c9e1a"


def logged(**fields):
    """An entry of a file in which Docker keeps a container's log."""
    return json.dumps({"log": json.dumps({"request_id": ID} | fields) + "\n", "stream": "stdout"})


def haproxy(
    begun, server="ubuntu2", retries=0, times=(1, 0, 2, 30), *, total=33, uri="/posts/", **fields
):
    names = ("request_ms", "queue_ms", "connect_ms", "response_ms")
    return logged(
        time=f"2026-11-24T15:00:{begun:06.3f}Z",
        **{"method": "GET", "uri": uri, "status": 200, "server": server},
        **dict(zip(names, times, strict=True)),
        retries=retries,
        redispatched=bool(retries),
        total_ms=total,
        **fields,
    )


# Seconds since 1970 of 2026-11-24T15:00:00Z.
MINUTE = 1795532400


def nginx(begun, seconds=0.030, status=200, path="/posts/", **upstream):
    upstreams = {
        "upstream": "10.199.128.2:29000",
        "upstream_status": "200",
        "upstream_connect": "0.001",
        "upstream_header": "0.029",
        "upstream_seconds": "0.029",
    }
    return logged(
        time="2026-11-24T15:00:00+00:00",
        ended=round(MINUTE + begun + seconds, 3),
        logger="nginx",
        method="GET",
        path=path,
        status=status,
        seconds=seconds,
        **(upstreams | upstream),
    )


def django(ended, ms=20.0, path="/posts/", **fields):
    return logged(
        time=f"2026-11-24T15:00:{ended:06.3f}+00:00",
        level="info",
        logger="access",
        message="request",
        **{"method": "GET", "path": path, "status": 200, "ms": ms},
        **{"mode": "custom-bridge", "node": "ubuntu2", "worker": 2},
        **fields,
    )


SENT = [
    {"database": "read_only", "text": "\n  SELECT a\n = %s", "at_ms": 1.5, "ms": 2.0},
    {
        "database": "cassandra",
        "text": "SELECT month FROM months WHERE username = ?",
        "server": "192.168.56.12",
        "at_ms": 8.0,
        "ms": 3.5,
    },
    {"database": "default", "text": "COMMIT", "at_ms": 15.0, "ms": 1.0, "error": "DataError"},
]


def timelines(*entries):
    """entries: (node, entry)."""
    found = [line for node, entry in entries for line in trace_lines.lines(node, entry, ID)]
    return [
        [
            (hop.depth, hop.name, hop.node, round(hop.at, 1), round(hop.ms, 1))
            for hop in request.hops
        ]
        for request in timeline.timelines(found)
    ]


def details(*entries):
    found = [line for node, entry in entries for line in trace_lines.lines(node, entry, ID)]
    return [hop.detail for request in timeline.timelines(found) for hop in request.hops]


WHOLE = (
    ("ubuntu3", haproxy(10.000)),
    ("ubuntu2", nginx(10.500)),
    ("ubuntu2", django(10.529, statements=SENT, more_statements=2)),
)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(1, 2)], 2),
        ([(1, 2), (3, 1)], 3),
        ([(5, 1), (1, 2)], 3),
        ([(1, 4), (1, 2), (2, 1)], 4),
        ([(1, 2), (2, 4)], 5),
    ],
)
def test_what_goes_on_at_the_same_time_counts_once(spans, expected):
    assert timeline.covered(spans) == expected


def test_a_request_is_one_timeline_although_a_clock_is_half_a_second_late():
    assert timelines(*WHOLE) == [
        [
            (0, "HAProxy", "ubuntu3", 0.0, 33.0),
            (1, "nginx", "ubuntu2", 3.0, 30.0),
            (2, "uWSGI", "ubuntu2", 4.0, 29.0),
            (3, "Django", "ubuntu2", 13.0, 20.0),
            (4, "MySQL replica", "", 14.5, 2.0),
            (4, "Cassandra", "192.168.56.12", 21.0, 3.5),
            (4, "MySQL primary", "", 28.0, 1.0),
            (4, "...", "", 33.0, 0.0),
        ]
    ]


def test_a_refusal_says_why():
    (line,) = details(("ubuntu2", django(10.529, reason="no host is named")))
    assert line == (
        "GET /posts/ 200, custom-bridge: 0 statements, 20.0 ms beside them;"
        " refused: no host is named"
    )


def test_each_hop_says_what_it_did():
    assert details(*WHOLE) == [
        "GET /posts/ 200, server ubuntu2: read 1, queue 0, connect 2, answer 30",
        "GET /posts/ 200",
        "10.199.128.2:29000, worker 2: connect 1, queue and protocol 8",
        "GET /posts/ 200, custom-bridge: 5 statements, 13.5 ms beside them",
        "SELECT a = %s",
        "SELECT month FROM months WHERE username = ?",
        "DataError: COMMIT",
        "2 more statements",
    ]


def test_attempts_on_other_servers_are_placed_by_the_clocks_and_said_to_be():
    refused = nginx(
        10.001,
        seconds=0.002,
        status=502,
        upstream_status="502",
        upstream_connect="-",
        upstream_header="-",
        upstream_seconds="0.001",
    )
    entries = (
        ("ubuntu3", haproxy(10.000, retries=1, times=(0, 0, 5, 30), total=35)),
        ("ubuntu1", refused),
        ("ubuntu2", nginx(10.005)),
        ("ubuntu2", django(10.034)),
    )
    assert timelines(*entries) == [
        [
            (0, "HAProxy", "ubuntu3", 0.0, 35.0),
            (1, "nginx", "ubuntu1", 1.0, 2.0),
            (2, "uWSGI", "ubuntu1", 2.0, 1.0),
            (1, "nginx", "ubuntu2", 5.0, 30.0),
            (2, "uWSGI", "ubuntu2", 6.0, 29.0),
            (3, "Django", "ubuntu2", 15.0, 20.0),
        ]
    ]
    assert details(*entries)[0].endswith("answer 30; retries 1, on another server")
    found = [line for node, entry in entries for line in trace_lines.lines(node, entry, ID)]
    assert [hop.by_clocks for hop in timeline.timelines(found)[0].hops] == [0, 1, 1, 0, 0, 0]


def test_nginx_s_own_attempts_follow_each_other():
    entry = nginx(
        10.000,
        upstream="10.0.1.5:29000, 10.0.1.6:29000",
        upstream_status="502, 200",
        upstream_connect="-, 0.001",
        upstream_header="-, 0.019",
        upstream_seconds="0.010, 0.020",
    )
    assert timelines(("ubuntu1", entry), ("ubuntu4", django(10.030, ms=15.0))) == [
        [
            (0, "nginx", "ubuntu1", 0.0, 30.0),
            (1, "uWSGI", "ubuntu1", 0.0, 10.0),
            (1, "uWSGI", "ubuntu4", 10.0, 20.0),
            (2, "Django", "ubuntu4", 14.0, 15.0),
        ]
    ]


def test_requests_with_the_same_id_are_kept_apart():
    static = {"upstream": "", "upstream_status": "", "upstream_connect": ""}
    static |= {"upstream_header": "", "upstream_seconds": ""}
    entries = [
        ("ubuntu4", haproxy(20.000, server="ubuntu1")),
        ("ubuntu3", haproxy(10.000)),
        ("ubuntu2", nginx(10.003, **static)),
        ("ubuntu1", nginx(20.003, **static)),
        # Asked without HAProxy.
        ("ubuntu1", nginx(30.000, **static)),
    ]
    assert [[hop[1:3] for hop in hops] for hops in timelines(*entries)] == [
        [("HAProxy", "ubuntu3"), ("nginx", "ubuntu2")],
        [("HAProxy", "ubuntu4"), ("nginx", "ubuntu1")],
        [("nginx", "ubuntu1")],
    ]


def test_what_django_says_meanwhile_is_in_its_place():
    warning = logged(
        time="2026-11-24T15:00:10.020+00:00",
        level="error",
        logger="django.request",
        message="Internal Server Error: /posts/",
        exception="Traceback:\n  x\nValueError: y",
    )
    entries = (("ubuntu2", django(10.030, statements=SENT[:1])), ("ubuntu2", warning))
    assert timelines(*entries) == [
        [
            (0, "Django", "ubuntu2", 0.0, 20.0),
            (1, "MySQL replica", "", 1.5, 2.0),
            (1, "django.request", "ubuntu2", 10.0, 0.0),
        ]
    ]
    assert details(*entries)[-1] == "error: Internal Server Error: /posts/ | ValueError: y"


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "not JSON",
        json.dumps({"log": "plain text with 5f0c9e1a\n"}),
        json.dumps({"log": json.dumps({"request_id": "other", "path": f'"{ID}"'})}),
        json.dumps({"log": '{"request_id": "5f0c9e1a", "path": "/cut-in-tw'}),
    ],
)
def test_what_is_no_line_of_the_request_is_left_out(entry):
    assert trace_lines.lines("ubuntu1", entry, ID) == []


def test_the_table_is_aligned():
    found = [line for node, entry in WHOLE[:2] for line in trace_lines.lines(node, entry, ID)]
    assert timeline.table(timeline.timelines(found)[0])[:3] == [
        "    at ms       ms  from 2026-11-24T15:00:10.000+00:00",
        "      0.0     33.0  ████████████████████████  HAProxy  ubuntu3"
        "  GET /posts/ 200, server ubuntu2: read 1, queue 0, connect 2, answer 30",
        "      3.0     30.0  ··██████████████████████   nginx   ubuntu2  GET /posts/ 200",
    ]


@pytest.mark.parametrize(
    ("asked", "uri", "path"),
    [
        # What HAProxy, nginx and Django each log of the same address.
        ('/posts/?q="a b"', "/posts/?q=%22a b%22", "/posts/?q=%22a%20b%22"),
        ("/posts/?q=\\", "/posts/?q=\\", "/posts/?q=%5C"),
        ("/caf%C3%A9/", "/caf%C3%A9/", "/caf%C3%A9/"),
        ("/?" + "a" * 8000, "/?" + "a" * 1017, "/?" + "a" * 8000),
        # Cut off within an escape, and within a character of two bytes.
        ("/?a" + "%C3%A9" * 1000, "/?a" + "%C3%A9" * 169 + "%C", "/?a" + "%C3%A9" * 1000),
        ("/?" + "%C3%A9" * 1000, "/?" + "%C3%A9" * 169 + "%C3", "/?" + "%C3%A9" * 1000),
    ],
    ids=["quotes", "backslash", "escapes", "long", "half an escape", "half a character"],
)
def test_a_request_is_one_timeline_however_each_program_writes_its_address(asked, uri, path):
    found = timelines(
        ("ubuntu3", haproxy(10.000, uri=uri)),
        ("ubuntu2", nginx(10.005, path=asked)),
        ("ubuntu2", django(10.030, path=path)),
    )
    assert [[hop[1] for hop in hops] for hops in found] == [["HAProxy", "nginx", "uWSGI", "Django"]]


def test_a_long_address_is_not_taken_for_another_one_that_begins_alike():
    found = timelines(
        ("ubuntu3", haproxy(10.000, uri="/?" + "a" * 500)),
        ("ubuntu2", nginx(10.005, path="/?" + "a" * 501)),
    )
    assert [[hop[1] for hop in hops] for hops in found] == [["HAProxy"], ["nginx", "uWSGI"]]


def test_a_line_that_docker_keeps_in_parts_is_put_together():
    whole = json.loads(nginx(10.005, path="/?" + '"' * 30_000))["log"]
    entries = [
        json.dumps({"log": part, "stream": "stdout"})
        for part in (whole[:16_384], whole[16_384:32_768], whole[32_768:])
    ]
    other = json.dumps({"log": "a line between them\n", "stream": "stderr"})
    output = "\n".join((entries[0], other, *entries[1:], haproxy(10.000)))
    found = trace_lines.lines("ubuntu2", output, ID)
    assert [(line.program, len(line.path)) for line in found] == [("nginx", 30_002), ("haproxy", 7)]
