"""lab-limit-writes on machines with either version of cgroups: made-up ones below a folder."""

import os
import subprocess

import pytest

from lab.config.paths import FOLDER

SCRIPT = FOLDER / "provision" / "node" / "sbin" / "lab-limit-writes"
PROCESS, BYTES = "4711", "20971520"
DISK, PARTITION, OTHER_DISK, BARE = "8:16", "8:17", "8:32", "7:0"
# A volume on a partition, one that encrypts it, and one on two disks.
VOLUME, ENCRYPTED, STRIPED = "253:0", "253:1", "253:2"
# Device -> the disks that are written to.
DISKS = {
    DISK: [DISK],
    PARTITION: [DISK],
    VOLUME: [DISK],
    ENCRYPTED: [DISK],
    STRIPED: [DISK, OTHER_DISK],
    BARE: [BARE],
}

# What the kernel of a machine says of a container's process: both hold a line of version 2.
LEGACY = "7:cpu,cpuacct:/docker/c1\n5:blkio:/docker/c1\n0::/system.slice/docker.service\n"
UNIFIED = "0::/docker/c1\n"


@pytest.fixture
def root(tmp_path):
    """A machine with two disks, a partition, volumes on them, and a loop device."""
    devices, numbers = tmp_path / "sys/devices", tmp_path / "sys/dev/block"
    folders = {
        DISK: devices / "pci/block/sdb",
        PARTITION: devices / "pci/block/sdb/sdb1",
        OTHER_DISK: devices / "pci/block/sdc",
        VOLUME: devices / "virtual/block/dm-0",
        ENCRYPTED: devices / "virtual/block/dm-1",
        STRIPED: devices / "virtual/block/dm-2",
        BARE: devices / "virtual/block/loop0",
    }
    numbers.mkdir(parents=True)
    for number, folder in folders.items():
        folder.mkdir(parents=True)
        (folder / "dev").write_text(f"{number}\n")
        (numbers / number).symlink_to(folder)
    (folders[PARTITION] / "partition").write_text("1\n")
    # A partition alone has no such folder, in the kernel either.
    for number in folders.keys() - {PARTITION}:
        (folders[number] / "slaves").mkdir()
    for volume, below in (
        (VOLUME, PARTITION),
        (ENCRYPTED, VOLUME),
        (STRIPED, PARTITION),
        (STRIPED, OTHER_DISK),
    ):
        (folders[volume] / "slaves" / folders[below].name).symlink_to(folders[below])
    return tmp_path


def cgroup(root, of_process, *files):
    """Adds the container's process and the files of its cgroup; returns the last one."""
    (root / "proc" / PROCESS).mkdir(parents=True)
    (root / "proc" / PROCESS / "cgroup").write_text(of_process)
    for file in files:
        path = root / "sys/fs/cgroup" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return path


def limit(root, device):
    return subprocess.run(
        (SCRIPT, device, PROCESS, BYTES),
        env=os.environ | {"LAB_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("device", "disks"), DISKS.items(), ids=str)
def test_the_whole_disk_is_limited_in_the_first_version(root, device, disks):
    # A machine with both versions has the second beside the first.
    throttle = cgroup(
        root,
        LEGACY,
        "unified/cgroup.controllers",
        "blkio/docker/c1/blkio.throttle.write_bps_device",
    )
    assert limit(root, device).returncode == 0
    assert throttle.read_text().splitlines() == [f"{disk} {BYTES}" for disk in disks]


@pytest.mark.parametrize(("device", "disks"), DISKS.items(), ids=str)
def test_the_whole_disk_is_limited_in_the_second_version(root, device, disks):
    io_max = cgroup(root, UNIFIED, "cgroup.controllers", "docker/c1/io.max")
    assert limit(root, device).returncode == 0
    assert io_max.read_text().splitlines() == [f"{disk} wbps={BYTES}" for disk in disks]


def test_all_above_are_told_to_hand_out_disk_limits_where_one_does_not(root):
    controls = [f"{folder}cgroup.subtree_control" for folder in ("", "docker/")]
    cgroup(root, UNIFIED, "cgroup.controllers", "docker/c1/cgroup.procs", *controls)
    assert limit(root, DISK).returncode == 0
    handed_out = [(root / "sys/fs/cgroup" / control).read_text() for control in controls]
    assert handed_out == ["+io\n", "+io\n"]


def test_a_container_that_has_ended_needs_no_limit(root):
    assert limit(root, DISK).returncode == 0


@pytest.mark.parametrize(
    ("device", "said"),
    [("0:42", "0:42 is no disk"), (DISK, "blkio.throttle.write_bps_device")],
    ids=["a file system on no disk", "no such file in the cgroup"],
)
def test_a_limit_that_cannot_be_set_is_a_failure_that_says_why(root, device, said):
    cgroup(root, LEGACY, "blkio/cgroup.procs")
    ended = limit(root, device)
    assert ended.returncode != 0
    assert said in ended.stderr
