"""Samples of the nodes, and the rows that they make."""

import pytest

from lab.observe.rates import Row, Samples, nodes, site

GIB = 2**30


def statistics(server, status="UP", stot=0, **counts):
    proxy = "web" if server == "FRONTEND" else "nginx"
    empty = dict.fromkeys(("qcur", "req_tot", "hrsp_4xx", "hrsp_5xx", "econ", "eresp", "wretr"), "")
    texts = {name: str(value) for name, value in counts.items()}
    return empty | {"pxname": proxy, "svname": server, "status": status, "stot": str(stot)} | texts


def balancer(*rows, time=0.0):
    return {"time": time, "containers": [], "haproxy": list(rows)}


def container(service, *, name="", cpu=0, memory=GIB, state="running", health="healthy"):
    return {
        **{"service": service, "name": name or service, "state": state, "health": health},
        **{"cpu": cpu, "memory": memory},
    }


def test_the_balancers_are_summed_and_rates_come_from_two_samples():
    seen = {
        "ubuntu3": Samples(
            balancer(
                statistics("FRONTEND", "OPEN", 3, req_tot=100), statistics("ubuntu1", stot=40)
            ),
            balancer(
                statistics("FRONTEND", "OPEN", 9, req_tot=120, hrsp_4xx=4),
                statistics("ubuntu1", stot=50, econ=1, eresp=1, wretr=2, qcur=3),
                time=2.0,
            ),
        ),
        # Started anew between the samples.
        "ubuntu4": Samples(
            balancer(statistics("FRONTEND", "OPEN", req_tot=900), statistics("ubuntu1", stot=90)),
            balancer(
                statistics("FRONTEND", "OPEN", req_tot=5), statistics("ubuntu1", stot=5), time=1.0
            ),
        ),
        "ubuntu1": Samples({"time": 0.0, "containers": []}, {"time": 1.0, "containers": []}),
    }
    assert site(seen) == [
        Row(("all", "OPEN", "10.0", "2.0", "0.0", "0.0", "0.0", "0", "125")),
        Row(("nginx on ubuntu1", "UP", "5.0", "0.0", "0.0", "1.0", "1.0", "3", "55")),
    ]


@pytest.mark.parametrize(
    ("states", "shown", "well"),
    [
        (("UP", "UP"), "UP", True),
        (("DOWN", "DOWN"), "DOWN", False),
        (("UP", "DOWN"), "UP/DOWN", False),
        (("UP 1/2", "UP 1/2"), "UP 1/2", False),
        (("DRAIN", "DRAIN"), "DRAIN", False),
    ],
)
def test_a_server_is_as_both_balancers_see_it(states, shown, well):
    seen = {
        node: Samples(None, balancer(statistics("ubuntu1", state)))
        for node, state in zip(("ubuntu3", "ubuntu4"), states, strict=True)
    }
    rates = ("-",) * 5
    assert site(seen) == [Row(("nginx on ubuntu1", shown, *rates, "0", "0"), well)]


def test_server_errors_are_not_well():
    before = balancer(statistics("FRONTEND", "OPEN", hrsp_5xx=1))
    now = balancer(statistics("FRONTEND", "OPEN", hrsp_5xx=3), time=1.0)
    assert [row.well for row in site({"ubuntu3": Samples(before, now)})] == [False]


def test_a_node_is_the_sum_of_its_containers_and_each_says_how_it_is():
    uwsgi = {"requests": 10, "workers": 4, "busy": 1, "queue": 2}
    mysql = {
        **{"state": "ONLINE", "role": "PRIMARY", "online": 3, "to_certify": 0, "to_apply": 7},
        **{"statements": 100, "connections": 5},
    }
    before = {
        "time": 10.0,
        "containers": [container("django"), container("mysql")],
        "uwsgi": {"django": uwsgi},
        "mysql": mysql,
    }
    now = {
        "time": 12.0,
        # Half a core and a whole one.
        "containers": [
            container("mysql", cpu=2_000_000_000),
            container("django", cpu=1_000_000_000, memory=GIB // 2),
            container("nginx", health=None, state="exited") | {"memory": 0},
        ],
        "uwsgi": {"django": uwsgi | {"requests": 15}},
        "mysql": mysql | {"statements": 130},
    }
    assert nodes({"ubuntu1": Samples(before, now)}) == [
        Row(("ubuntu1", "2 of 3 well", "answers", "150", "1536", ""), well=False),
        Row(
            ("", "django", "healthy", "50", "512")
            + ("uWSGI: 2.5 requests/s, 1 of 4 workers busy, queue 2",)
        ),
        Row(
            ("", "mysql", "healthy", "100", "1024")
            + (
                "PRIMARY ONLINE, sees 3 online, to certify 0, to apply 7,"
                " 15.0 statements/s, 5 connections",
            )
        ),
        Row(("", "nginx", "exited", "-", "0", ""), well=False),
    ]


def ring(*states, silent=(), schemas="aaaa"):
    return [
        {
            "address": f"10.0.0.{number}",
            "status_with_port": f"{state},-42",
            "silent": 30 if number in silent else 0,
            "schema": schema,
        }
        for number, (state, schema) in enumerate(zip(states, schemas, strict=False), start=1)
    ]


ALL_NORMAL = ("NORMAL",) * 4


@pytest.mark.parametrize(
    ("found", "detail", "well"),
    [
        (ring(*ALL_NORMAL), "sees 4 NORMAL, none silent, 1 schema", True),
        (
            ring(*ALL_NORMAL, silent=(4,), schemas="aaab"),
            "sees 4 NORMAL, silent: 10.0.0.4, 1 schema",
            False,
        ),
        (ring(*ALL_NORMAL, schemas="aabb"), "sees 4 NORMAL, none silent, 2 schemas", False),
        (
            ring("NORMAL", "NORMAL", "LEAVING"),
            "sees 2 NORMAL, 1 LEAVING, none silent, 1 schema",
            False,
        ),
        ({"error": "OSError: refused"}, "OSError: refused", False),
    ],
    ids=["well", "silent", "schemas", "leaving", "no answer"],
)
def test_the_ring_is_as_the_node_sees_it(found, detail, well):
    sample = {"time": 1.0, "containers": [container("cassandra")], "cassandra": found}
    row = nodes({"ubuntu1": Samples(None, sample)})[1]
    assert (row.cells[-1], row.well) == (detail, well)


def test_a_server_that_left_its_group_is_not_well():
    mysql = {
        **{"state": "OFFLINE", "role": "", "online": 0, "to_certify": None, "to_apply": None},
        **{"statements": 1, "connections": 1},
    }
    sample = {"time": 1.0, "containers": [container("mysql")], "mysql": mysql}
    row = nodes({"ubuntu1": Samples(None, sample)})[1]
    assert row.cells[-1].startswith("- OFFLINE, sees 0 online, to certify 0, to apply 0, - ")
    assert not row.well


def test_a_node_without_answer_is_one_row():
    assert nodes({"ubuntu1": Samples(trouble="no answer over SSH"), "ubuntu2": Samples()}) == [
        Row(("ubuntu1", "", "no answer", "", "", "no answer over SSH"), well=False),
        Row(("ubuntu2", "", "no answer", "", "", ""), well=False),
    ]


def test_a_sample_takes_the_place_of_the_one_before():
    first, second = {"time": 1.0}, {"time": 2.0}
    seen = Samples().then(first)
    assert (seen, seen.complete) == (Samples(None, first), False)
    seen = seen.then(second)
    assert (seen, seen.complete) == (Samples(first, second), True)
    failed = seen.then({"error": "Docker is away"})
    assert (failed.trouble, failed.complete) == ("Docker is away", True)
    assert failed.then(first).trouble == ""
