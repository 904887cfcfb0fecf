"""Prints what this node's programs say of themselves, once a second, as one JSON object a line.

Its first line of standard input is Cassandra's account, {"user": ..., "password": ...}; it ends
with standard input. No program is started for a sample but one MySQL client, which stays: Docker,
HAProxy and uWSGI are asked through their sockets, the last two where their containers have them
(/proc/PID/root).
"""

from __future__ import annotations

import csv
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from lab_node import cql
from lab_node.docker import Docker

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROCESSES, CGROUPS = "/proc", "/sys/fs/cgroup"
ADDRESS = "/etc/lab/address"
SECONDS = 1.0
TIMEOUT = 2  # seconds, for each program that is asked
WEB = ("django", "allinone")
# Of HAProxy's hundred columns (https://docs.haproxy.org/3.0/management.html#9.1).
STATISTICS = (
    *("pxname", "svname", "status", "qcur", "scur", "stot", "req_tot"),
    *("hrsp_4xx", "hrsp_5xx", "econ", "eresp", "wretr"),
)

# As root, whom MySQL knows by the socket; performance_schema has the group's tables even when that
# is off.
MYSQL = """
import json, sys, MySQLdb
connection = MySQLdb.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=True)
cursor = connection.cursor()
for _ in sys.stdin:
    cursor.execute(
        "SELECT member_state, member_role, count_transactions_in_queue,"
        " count_transactions_remote_in_applier_queue,"
        " (SELECT COUNT(*) FROM performance_schema.replication_group_members"
        "  WHERE member_state = 'ONLINE')"
        " FROM performance_schema.replication_group_members"
        " LEFT JOIN performance_schema.replication_group_member_stats USING (member_id)"
        " WHERE member_id IN (@@server_uuid, '')"
    )
    row = cursor.fetchone()
    cursor.execute("SHOW GLOBAL STATUS WHERE variable_name IN ('Questions', 'Threads_connected')")
    counts = {name: int(value) for name, value in cursor.fetchall()}
    names = ("state", "role", "to_certify", "to_apply", "online")
    found = dict(
        zip(names, row), statements=counts["Questions"], connections=counts["Threads_connected"]
    )
    print(json.dumps(found), flush=True)
"""


def unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT)
    connection.connect(path)
    return connection


def read_all(connection: socket.socket) -> str:
    with connection.makefile("rb") as stream:
        return stream.read().decode()


def containers() -> list[dict[str, Any]]:
    return [container(inspected) for inspected in Docker(TIMEOUT).containers()]


def container(inspected: dict[str, Any]) -> dict[str, Any]:
    state = inspected["State"]
    return {
        "name": inspected["Name"].lstrip("/"),
        "service": inspected["Config"]["Labels"]["lab.service"],
        "state": state["Status"],
        "health": state.get("Health", {}).get("Status"),
        "pid": state["Pid"],
        **(usage(state["Pid"]) if state["Pid"] else {}),
    }


def usage(pid: int) -> dict[str, int]:
    """cpu: nanoseconds so far; memory: bytes without what is only cached of files."""
    paths: dict[str, str] = {}
    for line in read(f"{PROCESSES}/{pid}/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        paths |= dict.fromkeys(names.split(","), path)
    if os.path.exists(f"{CGROUPS}/cgroup.controllers"):
        group = CGROUPS + paths[""]
        cpu = pairs(f"{group}/cpu.stat")["usage_usec"] * 1000
        memory, cached = read(f"{group}/memory.current"), "inactive_file"
    else:
        cpu = int(read(f"{CGROUPS}/cpuacct{paths['cpuacct']}/cpuacct.usage"))
        group = f"{CGROUPS}/memory{paths['memory']}"
        memory, cached = read(f"{group}/memory.usage_in_bytes"), "total_inactive_file"
    return {"cpu": cpu, "memory": int(memory) - pairs(f"{group}/memory.stat")[cached]}


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def pairs(path: str) -> dict[str, int]:
    return {name: int(value) for name, value in map(str.split, read(path).splitlines())}


def haproxy(pid: int) -> list[dict[str, str]]:
    with unix(f"{PROCESSES}/{pid}/root/run/haproxy/admin.sock") as connection:
        connection.sendall(b"show stat\n")
        return statistics(read_all(connection))


def statistics(table: str) -> list[dict[str, str]]:
    rows = csv.DictReader(table.removeprefix("# ").splitlines())
    return [{name: row[name] for name in STATISTICS} for row in rows]


def uwsgi(pid: int) -> dict[str, int]:
    with unix(f"{PROCESSES}/{pid}/root/run/uwsgi-stats.sock") as connection:
        return workload(json.loads(read_all(connection)))


def workload(found: dict[str, Any]) -> dict[str, int]:
    """workers: how many requests uWSGI can work on at the same time; queue: those that wait."""
    cores = [core for worker in found["workers"] for core in worker["cores"]]
    return {
        "requests": sum(worker["requests"] for worker in found["workers"]),
        "workers": len(cores),
        "busy": sum(core["in_request"] for core in cores),
        "queue": found["listen_queue"],
    }


class Mysql:
    """A client inside MySQL's container, started when first asked, and again after a failure."""

    process: subprocess.Popen[str] | None = None

    def ask(self) -> object:
        if self.process is None or self.process.poll() is not None:
            command = ("docker", "exec", "--interactive", "mysql", "python3", "-c", MYSQL)
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self.process.stdin and self.process.stdout  # noqa: S101 - both are pipes
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], TIMEOUT)[0]:
            self.process.kill()
            raise TimeoutError("MySQL does not answer")
        return json.loads(self.process.stdout.readline())


class Cassandra:
    """One connection, opened again after a failure.

    Kept: a password is checked slowly, on purpose.
    """

    QUERY = (
        'SELECT JSON address, heartbeat, load, "schema", status_with_port'
        " FROM system_views.gossip_info"
    )

    def __init__(self, account: dict[str, str]) -> None:
        self.account = account
        self.connection: socket.socket | None = None
        self.beats: dict[str, tuple[int | None, float]] = {}

    def ask(self) -> list[dict[str, Any]]:
        """The ring as this node's gossip has it; silent: seconds since it heard of a node."""
        connection, self.connection = self.connection or self.logged_in(), None
        answer = answered(connection, cql.QUERY, cql.query(self.QUERY, cql.ONE))
        self.connection = connection
        ring: list[dict[str, Any]] = [json.loads(row) for row in cql.rows(answer)]
        for one in ring:
            known, since = self.beats.get(one["address"], (None, 0.0))
            if known != one["heartbeat"]:
                since = time.monotonic()
            self.beats[one["address"]] = (one["heartbeat"], since)
            one["silent"] = round(time.monotonic() - since)
        return ring

    def logged_in(self) -> socket.socket:
        address = read(ADDRESS).strip()
        connection = socket.create_connection((address, cql.PORT), timeout=TIMEOUT)
        answered(connection, cql.STARTUP, cql.startup())
        login = cql.login(self.account["user"], self.account["password"])
        answered(connection, cql.AUTH_RESPONSE, login)
        return connection


def answered(connection: socket.socket, opcode: int, body: bytes) -> bytes:
    """Raises OSError with what Cassandra says if it is an error."""
    found, answer = cql.call(connection, opcode, body)
    if found == cql.ERROR:
        raise OSError(cql.message(answer))
    return answer


def attempt(ask: Callable[[], object]) -> object:
    """What it answers, or {"error": ...}: one program that is away hides none of the others."""
    try:
        return ask()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def sample(mysql: Mysql, ring: Cassandra) -> dict[str, object]:
    """time: seconds, by a clock that never jumps.

    A program that the node does not run is left out.
    """
    began, found = time.monotonic(), containers()
    running = [one for one in found if one["pid"]]
    pids = {one["service"]: one["pid"] for one in running}

    def web() -> dict[str, object]:
        asked = (one for one in running if one["service"] in WEB)
        return {one["name"]: attempt(partial(uwsgi, one["pid"])) for one in asked}

    ask: dict[str, Callable[[], object]] = {
        "haproxy": lambda: haproxy(pids["haproxy"]),
        "mysql": mysql.ask,
        "cassandra": ring.ask,
    }
    asked = {name: look for name, look in ask.items() if name in pids} | {"uwsgi": web}
    # All at the same time: one that hangs delays the sample by its time-out alone.
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = dict(zip(asked, pool.map(attempt, asked.values()), strict=True))
    return {"time": began, "containers": found, **answers}


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    ring = Cassandra(json.loads(sys.stdin.readline()))
    threading.Thread(target=end_with_input, daemon=True).start()
    mysql = Mysql()
    # Opens the connections, which takes long: rates from it would be wrong.
    attempt(partial(sample, mysql, ring))
    while True:
        began = time.monotonic()
        print(json.dumps(attempt(partial(sample, mysql, ring))), flush=True)
        time.sleep(max(0.0, began + SECONDS - time.monotonic()))
