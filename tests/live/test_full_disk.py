"""A MySQL server whose disk fills: it hands over in time, ends when nothing is left, comes back.

On a small disk of its own (lab-small-disk). Nobody does more than fill and empty it.
"""

from contextlib import contextmanager

import pytest

from lab.engine.ssh import wait_until
from lab.plan.site import volume_folder
from tests.live.support import data_faults, mysql_group
from tests.live.support.data_faults import sql
from tests.live.support.mysql_group import SERVERS
from tests.live.support.written import table

# MiB, as images/mysql/group_agent/room.py has them: short, but not full; full; no longer full, but
# not enough to start with.
SHORT, FULL, LITTLE = 32, 2, 100
SECONDS = 60

DISK = volume_folder("mysql")
FILLER = f"{DISK}/filled-by-a-drill"
LEAVE = """
mountpoint "$1"
truncate --size 0 "$2"
free=$(df --block-size=1K --output=avail "$1" | tail -n 1)
fallocate --length $((free - $3 * 1024))K "$2"
"""


def leave(lab, node, mebibytes):
    """Fills the small disk of a server but for so much."""
    lab.nodes[node].run("bash", "-euc", LEAVE, "bash", DISK, FILLER, str(mebibytes))


@contextmanager
def primary_on_small_disk(lab):
    server = mysql_group.wait_whole(lab)
    with data_faults.small_disk(lab, server):
        mysql_group.wait_whole(lab)
        sql(lab, server, "SELECT group_replication_set_as_primary(@@server_uuid)")
        mysql_group.wait_primary_among(lab, [server])
        yield server


def polls(lab, node, count):
    """What a server's agent said of it in so many different looks at it."""
    seen = {}

    def look():
        told = mysql_group.state(lab, node)
        seen[told["free"], told["age"]] = (told["state"], told["free"])
        return len(seen)

    wait_until(f"{node}: {count} looks", look, lambda n: n >= count, seconds=SECONDS, advice=str)
    return list(seen.values())


@pytest.mark.long
def test_a_primary_whose_disk_fills_hands_over_and_comes_back_once_there_is_room(running):
    with table(running) as written, primary_on_small_disk(running) as server:
        others = [name for name in SERVERS if name != server]
        written.until_acknowledged(server)

        leave(running, server, SHORT)
        primary = mysql_group.wait_primary_among(running, others)
        written.until_acknowledged(primary)
        # Of those that have room one leads; this one follows, and serves what it has.
        assert mysql_group.wait_whole(running) == primary

        leave(running, server, FULL)
        mysql_group.wait_for(
            running, f"{server}: ended", lambda seen: seen[server].startswith("DOWN"), SECONDS
        )
        primary = mysql_group.wait_primary_among(running, others)
        written.until_acknowledged(primary)

        leave(running, server, LITTLE)
        looks = polls(running, server, 12)
        assert {state for state, _ in looks} == {"DOWN"}, looks

        running.nodes[server].run("truncate", "--size", "0", FILLER)
        written.until_acknowledged(mysql_group.wait_whole(running))
        written.compare()
