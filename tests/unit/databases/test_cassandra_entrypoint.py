"""What Cassandra's entrypoint removes of a commit log: never what was acknowledged."""

import subprocess

import pytest

from lab.config.paths import FOLDER

ENTRYPOINT = FOLDER / "images/cassandra/bin/entrypoint.sh"
# Bytes: a header with 12 bytes of parameters, and the least that is more.
PARAMETERS, HEADER, WRITTEN = 12, 30, 31


def name(number):
    return f"CommitLog-8-{number}.log"


def segment(size):
    header = b"\0\0\0\x08" + b"\0" * 8 + PARAMETERS.to_bytes(2, "big")
    return (header + b"\0" * size)[:size]


@pytest.mark.parametrize(
    ("noted", "there", "kept", "note"),
    [
        ("", {}, [], "0"),
        # After a crash: what was written last may be torn, so the spare one goes.
        ("0", {11: WRITTEN, 12: HEADER}, [11], "11"),
        ("7", {11: WRITTEN, 12: WRITTEN, 13: HEADER}, [11, 12], "12"),
        # A start that did not get as far as a header.
        ("11", {11: WRITTEN, 13: 0}, [11], "11"),
        ("11", {11: WRITTEN, 13: 17}, [11], "11"),
        # One, and two, that were killed amid the replay.
        ("11", {10: WRITTEN, 11: WRITTEN, 13: WRITTEN, 14: HEADER}, [10, 11], "11"),
        ("11", {11: WRITTEN, 13: WRITTEN, 15: WRITTEN}, [11], "11"),
        # What was replayed is gone, so the node has served: all that is there may be acknowledged.
        ("11", {13: WRITTEN, 14: WRITTEN, 15: HEADER}, [13, 14], "14"),
        ("11", {9: WRITTEN, 13: WRITTEN}, [9, 13], "13"),
        # No longer digits alone, and a note that the power took.
        ("999", {999: WRITTEN, 1000: WRITTEN}, [999], "999"),
        ("999", {998: WRITTEN, 1000: WRITTEN}, [998, 1000], "1000"),
        ("", {11: WRITTEN, 13: WRITTEN}, [11, 13], "13"),
        ("x", {11: WRITTEN, 13: WRITTEN}, [11, 13], "13"),
        (None, {11: WRITTEN, 13: WRITTEN}, [11, 13], "13"),
    ],
)
def test_a_commit_log_before_a_start(tmp_path, noted, there, kept, note):
    log = tmp_path / "commitlog"
    log.mkdir()
    for number, size in there.items():
        (log / name(number)).write_bytes(segment(size))
    if noted is not None:
        (tmp_path / "replaying").write_text(f"{noted}\n")
    functions, main = ENTRYPOINT.read_text().split("main() {")
    assert "remove_what_follows_the_end" in main
    script = functions.replace("/var/lib/cassandra", str(tmp_path)) + "remove_what_follows_the_end"
    subprocess.run(("bash", "-c", script), check=True)
    assert sorted(path.name for path in log.iterdir()) == sorted(map(name, kept))
    assert (tmp_path / "replaying").read_text() == f"{note}\n"
