"""A Cassandra node whose commit log ends amid a write, and that dies again while it reads it."""

import pytest

from lab.engine.ssh import wait_until
from lab.plan.site import volume_folder
from tests.conftest import TOPOLOGY
from tests.live.test_doctor import wait_well

SECONDS = 120
# The last byte of what was written is missing. A start writes to a segment of its own before it
# reads the others, and is killed as soon as that is more than a header.
TEAR_AND_KILL_AMID_THE_REPLAY = """
import os, subprocess, sys, time
folder, seconds = sys.argv[1], float(sys.argv[2])
HEADER = 128
def docker(*argv):
    subprocess.run(("docker", *argv), check=True, stdout=subprocess.DEVNULL)
def written():
    sizes = {one.name: one.stat().st_size for one in os.scandir(folder)}
    return {name for name, size in sizes.items() if size > HEADER}
docker("kill", "cassandra")
torn = max(written())
os.truncate(f"{folder}/{torn}", os.path.getsize(f"{folder}/{torn}") - 1)
before = written()
docker("start", "cassandra")
deadline = time.monotonic() + seconds
while not written() - before and time.monotonic() < deadline:
    time.sleep(0.002)
docker("kill", "cassandra")
print(torn in written(), len(written() - before))
"""


@pytest.mark.long
def test_a_node_that_dies_amid_the_replay_of_a_torn_commit_log_starts_again(running):
    name = TOPOLOGY.settings.cassandra[0]
    node = running.nodes[name]
    folder = f"{volume_folder('cassandra')}/commitlog"
    wait_well(running)
    try:
        said = node.run("python3", "-c", TEAR_AND_KILL_AMID_THE_REPLAY, folder, str(SECONDS))
        assert said.split() == ["True", "1"], "it was not amid the replay"
    finally:
        node.run("docker", "start", "cassandra")
    health = ("docker", "inspect", "--format", "{{.State.Health.Status}}", "cassandra")
    wait_until(
        f"{name}: a healthy Cassandra",
        lambda: node.run(*health).strip(),
        lambda seen: seen == "healthy",
        seconds=SECONDS,
        advice=lambda _: "docker logs cassandra",
    )
    wait_well(running)
