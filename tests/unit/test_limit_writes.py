"""lab-limit-writes on machines with either version of cgroups: made-up ones below a folder."""

import os
import subprocess

import pytest

from lab.config.paths import FOLDER

SCRIPT = FOLDER / "provision" / "node" / "sbin" / "lab-limit-writes"
PROCESS, BYTES = "4711", "20971520"
DISK, PARTITION, MAPPER = "8:16", "8:17", "253:0"

# What the kernel of a machine says of a container's process: both hold a line of version 2.
LEGACY = "7:cpu,cpuacct:/docker/c1\n5:blkio:/docker/c1\n0::/system.slice/docker.service\n"
UNIFIED = "0::/docker/c1\n"


@pytest.fixture
def root(tmp_path):
    """A machine with a disk, a partition on it, and a device-mapper volume."""
    disk = tmp_path / "sys/devices/pci/block/sdb"
    devices = {DISK: disk, PARTITION: disk / "sdb1", MAPPER: tmp_path / "sys/devices/virtual/dm-0"}
    numbers = tmp_path / "sys/dev/block"
    numbers.mkdir(parents=True)
    for number, folder in devices.items():
        folder.mkdir(parents=True)
        (folder / "dev").write_text(f"{number}\n")
        (numbers / number).symlink_to(folder)
    (disk / "sdb1/partition").write_text("1\n")
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


@pytest.mark.parametrize(
    ("device", "disk"), [(DISK, DISK), (PARTITION, DISK), (MAPPER, MAPPER)], ids=str
)
def test_the_whole_disk_is_limited_in_the_first_version(root, device, disk):
    # A machine with both versions has the second beside the first.
    throttle = cgroup(
        root,
        LEGACY,
        "unified/cgroup.controllers",
        "blkio/docker/c1/blkio.throttle.write_bps_device",
    )
    assert limit(root, device).returncode == 0
    assert throttle.read_text() == f"{disk} {BYTES}\n"


@pytest.mark.parametrize(
    ("device", "disk"), [(DISK, DISK), (PARTITION, DISK), (MAPPER, MAPPER)], ids=str
)
def test_the_whole_disk_is_limited_in_the_second_version(root, device, disk):
    io_max = cgroup(root, UNIFIED, "cgroup.controllers", "docker/c1/io.max")
    assert limit(root, device).returncode == 0
    assert io_max.read_text() == f"{disk} wbps={BYTES}\n"


def test_the_parent_is_told_to_hand_out_disk_limits_where_it_does_not(root):
    handed_out = cgroup(
        root,
        UNIFIED,
        "cgroup.controllers",
        "docker/c1/cgroup.procs",
        "docker/cgroup.subtree_control",
    )
    assert limit(root, DISK).returncode == 0
    assert handed_out.read_text() == "+io\n"


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
