"""What lab-sample says of programs that answer as they were seen to."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from lab.config.paths import FOLDER
from lab_node import sample
from lab_node.sample import Cassandra, Mysql
from tests.unit.lab_node.frames import LOGGED_IN, NO_KEYSPACE, RING, WANTS_LOGIN, WRONG_PASSWORD

PID = 4711

# What the kernel says of a container's process; a machine of version 1 has the second beside it.
LEGACY = "7:cpu,cpuacct:/docker/c1\n4:memory:/docker/c1\n0::/system.slice/docker.service\n"
APART = "2:cpuacct:/docker/c1\n1:cpu:/docker/c1\n4:memory:/docker/c1\n0::/\n"
UNIFIED = "0::/system.slice/docker-c1.scope\n"
LEGACY_FILES = {
    "unified/cgroup.controllers": "",
    "cpuacct/docker/c1/cpuacct.usage": "7155871955\n",
    "memory/docker/c1/memory.usage_in_bytes": "120000000\n",
    "memory/docker/c1/memory.stat": "inactive_file 1\nrss 7\ntotal_inactive_file 20000000\n",
}
UNIFIED_FILES = {
    "cgroup.controllers": "cpu memory\n",
    "system.slice/docker-c1.scope/cpu.stat": "usage_usec 7155871\nuser_usec 5\nsystem_usec 6\n",
    "system.slice/docker-c1.scope/memory.current": "120000000\n",
    "system.slice/docker-c1.scope/memory.stat": "anon 7\ninactive_file 20000000\n",
}

STATISTICS = """\
# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,\
status,weight,req_tot,hrsp_4xx,hrsp_5xx,
web,FRONTEND,,,1,9,2000,5,10,20,0,0,0,,,,,OPEN,,7,2,3,
nginx,ubuntu1,0,0,0,1,,2,10,20,,0,,4,5,6,0,UP,1,2,0,0,

"""
ROWS = [
    {
        **{"pxname": "web", "svname": "FRONTEND", "status": "OPEN", "qcur": "", "scur": "1"},
        **{"stot": "5", "req_tot": "7", "hrsp_4xx": "2", "hrsp_5xx": "3"},
        **{"econ": "", "eresp": "", "wretr": ""},
    },
    {
        **{"pxname": "nginx", "svname": "ubuntu1", "status": "UP", "qcur": "0", "scur": "0"},
        **{"stot": "2", "req_tot": "2", "hrsp_4xx": "0", "hrsp_5xx": "0"},
        **{"econ": "4", "eresp": "5", "wretr": "6"},
    },
]

WORKLOAD = {
    "listen_queue": 3,
    "load": 0,
    "workers": [
        {"id": 1, "requests": 100, "cores": [{"id": 0, "in_request": 1}, {"in_request": 0}]},
        {"id": 2, "requests": 20, "cores": [{"id": 0, "in_request": 1}, {"in_request": 1}]},
    ],
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The kernel's files in a folder: of processes, and of cgroups."""
    monkeypatch.setattr(sample, "PROCESSES", str(tmp_path / "proc"))
    monkeypatch.setattr(sample, "CGROUPS", str(tmp_path / "cgroup"))

    def write(of_process, files):
        for path, text in {f"proc/{PID}/cgroup": of_process}.items() | {
            f"cgroup/{name}": text for name, text in files.items()
        }.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)

    return write


@pytest.mark.parametrize(
    ("of_process", "files", "cpu"),
    [
        (LEGACY, LEGACY_FILES, 7155871955),
        (APART, LEGACY_FILES, 7155871955),
        (UNIFIED, UNIFIED_FILES, 7155871000),
    ],
    ids=["version 1", "version 1, each apart", "version 2"],
)
def test_what_a_container_uses_by_either_version_of_cgroups(machine, of_process, files, cpu):
    machine(of_process, files)
    assert sample.usage(PID) == {"cpu": cpu, "memory": 100_000_000}


def inspected(state, **health):
    return {
        "Name": "/mysql",
        "Config": {"Labels": {"lab.service": "mysql"}},
        "State": {**state, **health},
    }


def test_a_container_that_runs_has_a_usage(machine):
    machine(UNIFIED, UNIFIED_FILES)
    found = inspected({"Status": "running", "Pid": PID}, Health={"Status": "healthy"})
    assert sample.container(found) == {
        **{"name": "mysql", "service": "mysql", "state": "running", "health": "healthy"},
        **{"pid": PID, "cpu": 7155871000, "memory": 100_000_000},
    }


def test_one_that_does_not_has_none_and_maybe_no_health():
    assert sample.container(inspected({"Status": "exited", "Pid": 0})) == {
        **{"name": "mysql", "service": "mysql", "state": "exited", "health": None, "pid": 0},
    }


def test_haproxy_s_table_has_the_columns_that_are_shown():
    assert sample.statistics(STATISTICS) == ROWS


def test_what_uwsgi_s_workers_have_to_do():
    assert sample.workload(WORKLOAD) == {"requests": 120, "workers": 4, "busy": 3, "queue": 3}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program in a container that answers at a socket with a text, and notes what it is asked."""
    monkeypatch.setattr(sample, "PROCESSES", str(tmp_path))
    asked = []

    def answer(name, text, question=b""):
        path = tmp_path / str(PID) / "root" / "run" / name
        path.parent.mkdir(parents=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()

        def serve():
            with server, server.accept()[0] as connection:
                if question:
                    asked.append(connection.recv(100))
                connection.sendall(text.encode())

        threading.Thread(target=serve, daemon=True).start()
        return asked

    return answer


def test_haproxy_is_asked_where_its_container_has_its_socket(program):
    asked = program("haproxy/admin.sock", STATISTICS, b"show stat\n")
    assert sample.haproxy(PID) == ROWS
    assert asked == [b"show stat\n"]


def test_uwsgi_is_asked_where_its_container_has_its_socket(program):
    program("uwsgi-stats.sock", json.dumps(WORKLOAD))
    assert sample.uwsgi(PID)["requests"] == 120


CLIENT = """echo "$*" >>"$ASKED"
while read -r _; do echo '{"state": "ONLINE"}'; done
"""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """How often a client was started, and as what."""
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return lambda: [
        line
        for line in (tmp_path / "asked").read_text().splitlines()
        if line.startswith("exec --interactive mysql python3 -c")
    ]


def test_one_client_of_mysql_s_is_asked_again_and_again(command, started):
    command("docker", CLIENT)
    mysql = Mysql()
    assert [mysql.ask(), mysql.ask()] == [{"state": "ONLINE"}, {"state": "ONLINE"}]
    assert len(started()) == 1
    mysql.process.kill()
    mysql.process.wait()
    assert mysql.ask() == {"state": "ONLINE"}
    assert len(started()) == 2


def test_a_mysql_that_says_nothing_is_given_up_and_asked_anew(command, started, monkeypatch):
    monkeypatch.setattr(sample, "TIMEOUT", 0.3)
    command("docker", 'echo "$*" >>"$ASKED"\nexec sleep 30\n')
    mysql = Mysql()
    with pytest.raises(TimeoutError, match="^MySQL does not answer$"):
        mysql.ask()
    assert mysql.process.wait(timeout=5) == -9
    command("docker", CLIENT)
    monkeypatch.setattr(sample, "TIMEOUT", 5)
    assert mysql.ask() == {"state": "ONLINE"}


@pytest.fixture
def ring(cassandra, tmp_path, monkeypatch):
    (tmp_path / "address").write_text("127.0.0.1\n")
    monkeypatch.setattr(sample, "ADDRESS", str(tmp_path / "address"))
    return Cassandra({"user": "lab_admin", "password": "pw"})


def test_the_ring_over_one_connection(cassandra, ring):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING, RING]
    first, second = ring.ask(), ring.ask()
    assert [one["address"] for one in first] == ["192.168.56.11", "192.168.56.12"]
    assert first[0] == {
        "address": "192.168.56.11",
        "heartbeat": 955,
        "load": "112694.0",
        "schema": "25661f1a-442a-345c-9237-ea98cdbaf351",
        "status_with_port": "NORMAL,-4611686018427387904",
        "silent": 0,
    }
    assert second == first
    query = (
        b'SELECT JSON address, heartbeat, load, "schema", status_with_port'
        b" FROM system_views.gossip_info"
    )
    assert cassandra.sent == [
        (0x01, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"),
        (0x0F, b"\x00\x00\x00\x0d\x00lab_admin\x00pw"),
        (0x07, b"\x00\x00\x00\x5e" + query + b"\x00\x01\x00"),
        (0x07, b"\x00\x00\x00\x5e" + query + b"\x00\x01\x00"),
    ]
    assert cassandra.connections == 1


def test_a_node_whose_heart_beats_is_heard_of_and_another_is_silent(cassandra, ring, monkeypatch):
    clock = iter((100.0, 100.0, 100.0, 100.0, 107.0, 107.0, 107.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    later = RING[0], RING[1].replace(b'"heartbeat": 952', b'"heartbeat": 959')
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING, later]
    ring.ask()
    assert [one["silent"] for one in ring.ask()] == [7, 0]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([WANTS_LOGIN, WRONG_PASSWORD], "Provided username x and/or password are incorrect"),
        ([WANTS_LOGIN, LOGGED_IN, NO_KEYSPACE], "keyspace nope does not exist"),
        ([WANTS_LOGIN, LOGGED_IN], "Cassandra closed the connection"),
    ],
)
def test_after_a_failure_the_connection_is_opened_again(cassandra, ring, answers, said):
    cassandra.answers[:] = answers
    with pytest.raises((OSError, EOFError), match=f"^{said}$"):
        ring.ask()
    assert ring.connection is None
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING]
    assert len(ring.ask()) == 2


def test_a_connection_that_served_and_then_failed_is_not_used_again(cassandra, ring):
    cassandra.answers[:] = [WANTS_LOGIN, LOGGED_IN, RING, NO_KEYSPACE, WANTS_LOGIN, LOGGED_IN, RING]
    ring.ask()
    with pytest.raises(OSError, match="^keyspace nope does not exist$"):
        ring.ask()
    assert len(ring.ask()) == 2
    assert [opcode for opcode, _ in cassandra.sent] == [0x01, 0x0F, 0x07, 0x07, 0x01, 0x0F, 0x07]


def test_what_fails_is_an_error_among_the_answers_and_not_too_long():
    def fail():
        raise OSError("x" * 500)

    assert sample.attempt(fail) == {"error": "OSError: " + "x" * 191}
    assert sample.attempt(dict) == {}


class Answers:
    """In place of a program's client."""

    def __init__(self, answer):
        self.answer = answer

    def ask(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def node(*services):
    return [
        {"name": f"{service}-1", "service": service, "state": "running", "pid": pid}
        for pid, service in enumerate(services, 1)
    ]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], {"uwsgi": {}}),
        (
            node("mysql", "django", "nginx", "allinone"),
            {
                "mysql": {"state": "ONLINE"},
                "uwsgi": {"django-1": {"pid": 2}, "allinone-1": {"pid": 4}},
            },
        ),
        (
            node("haproxy", "cassandra"),
            {
                "haproxy": [{"pid": 1}],
                "cassandra": {"error": "OSError: away"},
                "uwsgi": {},
            },
        ),
        ([node("mysql")[0] | {"state": "exited", "pid": 0}], {"uwsgi": {}}),
    ],
)
def test_a_sample_has_what_runs_there_and_one_s_absence_hides_no_other(monkeypatch, found, wanted):
    monkeypatch.setattr(sample, "containers", lambda: found)
    monkeypatch.setattr(sample, "haproxy", lambda pid: [{"pid": pid}])
    monkeypatch.setattr(sample, "uwsgi", lambda pid: {"pid": pid})
    monkeypatch.setattr(time, "monotonic", lambda: 17.5)
    made = sample.sample(Answers({"state": "ONLINE"}), Answers(OSError("away")))
    assert made == {"time": 17.5, "containers": found, **wanted}


def test_a_line_a_second_until_standard_input_ends(engine):
    engine.answers["/containers/json"] = 200, []
    code = (
        "from lab_node import docker, sample\n"
        f"docker.SOCKET = {engine.server_address!r}\n"
        "sample.SECONDS = 0.1\n"
        "sample.main()\n"
    )
    with subprocess.Popen(
        (sys.executable, "-c", code),
        env=os.environ | {"PYTHONPATH": str(FOLDER / "provision/node")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdin.write('{"user": "x", "password": "pw"}\n')
        process.stdin.flush()
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.stdin.close()
        assert process.wait(timeout=10) == 0
    assert first == {"time": first["time"], "containers": [], "uwsgi": {}}
    assert 0.1 <= second["time"] - first["time"] < 2
    assert abs(time.monotonic() - second["time"]) < 10
