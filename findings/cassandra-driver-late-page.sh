#!/usr/bin/env bash
# The Python driver of Cassandra: with speculative execution, the rows of a statement of several pages come twice, or not
# at all, and no error is raised. The future of the first page is used for the next one, too (start_fetching_next_page of
# ResponseFuture), and takes whatever comes for the result it waits for (_set_result): also a page that it has already,
# if a second node was asked for that one and both answer. It then goes on from where that page ends.
# Rows twice and three times were seen with Cassandra 5.0.9 on three or four busy nodes; lost ones only here, where two
# nodes in a hundred lines of Python speak as much of its protocol as the driver needs, and answer late. They hold ten
# rows, and are asked for pages of two. Takes half a minute. Needs Linux (for 127.0.0.2) and Python 3 with venv.
set -euo pipefail

VERSION=3.30.1
PORT=${PORT:-18575}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/nodes.py" <<'END'
"""Two nodes of CQL's native protocol, version 4. The first request for rows takes FIRST s, others OTHERS.

Of each page any node answers the same, however often it is asked: the paging state says after which row it begins.
"""
import asyncio
import ipaddress
import re
import struct
import sys
import uuid

PORT, FIRST, OTHERS = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
ADDRESSES = ("127.0.0.1", "127.0.0.2")
ROWS = 10
OPTIONS, QUERY = 5, 7
READY, SUPPORTED, RESULT = 2, 6, 8
MORE_PAGES, PAGE_SIZE, PAGING_STATE = 2, 4, 8
delays = [FIRST]


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


def cell(value):
    """A column's type, and its value."""
    kind, data = {
        int: lambda: (9, struct.pack(">i", value)),
        uuid.UUID: lambda: (12, value.bytes),
        str: lambda: (13, value.encode()),
        ipaddress.IPv4Address: lambda: (16, value.packed),
    }[type(value)]()
    return struct.pack(">H", kind), struct.pack(">i", len(data)) + data


def rows(table, found, after=None):
    """A result of rows. With a paging state there are more pages."""
    flags = 1 | (MORE_PAGES if after else 0)
    body = struct.pack(">iii", 2, flags, len(found[0]))
    if after:
        body += struct.pack(">i", len(after)) + after
    body += text(table.partition(".")[0]) + text(table.partition(".")[2])
    body += b"".join(text(name) + cell(value)[0] for name, value in found[0].items())
    cells = b"".join(cell(value)[1] for row in found for value in row.values())
    return body + struct.pack(">i", len(found)) + cells


def page(parameters):
    """The rows that the query's parameters ask for."""
    flags = parameters[2]
    assert flags & PAGE_SIZE
    size, after = struct.unpack(">i", parameters[3:7])[0], 0
    if flags & PAGING_STATE:
        length = struct.unpack(">i", parameters[7:11])[0]
        after = int(parameters[11 : 11 + length])
    end = min(after + size, ROWS)
    return rows("lab.numbers", [{"n": n + 1} for n in range(after, end)], str(end).encode() if end < ROWS else None)


def node(address):
    """What the nodes' tables say of one."""
    here = ipaddress.IPv4Address(address)
    return {
        "key": "local", "cluster_name": "two", "data_center": "one", "rack": "one", "release_version": "4.0.0",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner", "host_id": uuid.UUID(int=int(here)),
        "schema_version": uuid.UUID(int=1), "peer": here, "peer_port": 7000, "native_address": here,
        "native_port": PORT, "rpc_address": here, "rpc_port": PORT,
    }


async def answer(address, opcode, body):
    if opcode == OPTIONS:
        version = text("CQL_VERSION") + struct.pack(">H", 1) + text("3.4.5")
        return SUPPORTED, struct.pack(">H", 2) + version + text("COMPRESSION") + struct.pack(">H", 0)
    if opcode != QUERY:  # STARTUP, REGISTER
        return READY, b""
    length = struct.unpack(">i", body[:4])[0]
    names, table = re.match(r"SELECT (.+?) FROM (\S+)", body[4 : 4 + length].decode()).groups()
    if table == "lab.numbers":
        await asyncio.sleep(delays.pop() if delays else OTHERS)
        return RESULT, page(body[4 + length :])
    about = node(address if table == "system.local" else next(other for other in ADDRESSES if other != address))
    return RESULT, rows(table, [{name: about[name] for name in names.split(", ")}])


async def serve(reader, writer):
    async def respond(stream, opcode, body):
        kind, data = await answer(writer.get_extra_info("sockname")[0], opcode, body)
        writer.write(struct.pack(">BBhBi", 0x84, 0, stream, kind, len(data)) + data)

    tasks = []
    try:
        while True:
            _, _, stream, opcode, length = struct.unpack(">BBhBi", await reader.readexactly(9))
            tasks.append(asyncio.create_task(respond(stream, opcode, await reader.readexactly(length))))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    await asyncio.gather(*[(await asyncio.start_server(serve, each, PORT)).serve_forever() for each in ADDRESSES])


asyncio.run(main())
END

cat >"$folder/read.py" <<'END'
"""Reads all rows, and takes some time for each two of them. A second node is asked after 0.3 s without an answer."""
import sys
import time

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import ConstantSpeculativeExecutionPolicy, RoundRobinPolicy
from cassandra.query import SimpleStatement

port, pause, idempotent = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "idempotent"
profile = ExecutionProfile(
    load_balancing_policy=RoundRobinPolicy(), speculative_execution_policy=ConstantSpeculativeExecutionPolicy(0.3, 1)
)
cluster = Cluster(
    ["127.0.0.1", "127.0.0.2"],
    port=port,
    protocol_version=4,
    execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    schema_metadata_enabled=False,
    token_metadata_enabled=False,
)
with cluster, cluster.connect() as session:
    while len(session.get_pool_state()) < 2:  # connect() waits for the first one only
        time.sleep(0.05)
    found = []
    for row in session.execute(SimpleStatement("SELECT n FROM lab.numbers", fetch_size=2, is_idempotent=idempotent)):
        found.append(row.n)
        if row.n % 2 == 0:
            time.sleep(pause)
print(*found)
END

try() { # FIRST OTHERS PAUSE idempotent|not: the rows in the order in which they come
  local found nodes
  timeout 20 python3 "$folder/nodes.py" "$PORT" "$1" "$2" &
  nodes=$!
  for _ in $(seq 50); do
    if (exec 3<>"/dev/tcp/127.0.0.2/$PORT") 2>/dev/null; then break; fi
    sleep 0.1
  done
  found=$(timeout 20 "$folder/venv/bin/python" "$folder/read.py" "$PORT" "$3" "$4") || found='no answer'
  kill "$nodes"
  wait "$nodes" 2>/dev/null || true
  echo "$found"
}

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary cassandra-driver "cassandra-driver==$VERSION"
"$folder/venv/bin/python" -c '
import platform, cassandra, cassandra.cluster
connection = cassandra.cluster.Cluster.connection_class.__name__
print(f"cassandra-driver {cassandra.__version__} ({connection}), Python {platform.python_version()}")
'

steady=$(try 0.6 0.6 0 idempotent)
echo "each answer takes 0.6 s, idempotent: $steady"
steady_not=$(try 0.6 0.6 0 not)
echo "the same, not idempotent: $steady_not"
once=$(try 1.9 0.6 0.7 idempotent)
echo "the first answer takes 1.9 s, and each page 0.7 s to read, idempotent: $once"
once_not=$(try 1.9 0.6 0.7 not)
echo "the same, not idempotent: $once_not"
all='1 2 3 4 5 6 7 8 9 10'
if [[ $steady == '1 2 1 2 3 4 3 4 '* && $once == '1 2 1 2 5 6 '* && $steady_not == "$all" && $once_not == "$all" ]]; then
  echo "as found: a late answer for one page is taken for the next one: pages come twice, and the right one is lost if" \
    "it comes while the wrong one is read; with is_idempotent=False no second node is asked, and each row comes once"
else
  echo "the behaviour has changed" >&2
  exit 1
fi
