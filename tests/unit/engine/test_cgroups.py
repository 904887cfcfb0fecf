"""What is asked of the kernel's control groups, of both versions: their files as it has them, below
a folder. Of version 2 they are those of a node in a virtual machine, and of one that is a machine.
"""

import re
import subprocess

import pytest

from lab.doctor.checks import nodes, questions
from lab.doctor.checks.facts import Answer
from lab.engine import memory
from lab_node import asking

PID = 4711
SCOPE = "system.slice/docker-67f1.scope"

# (what /proc says of a container's process, the files of its group, how many were killed)
KILLED = {
    "version 1": (
        "9:memory:/docker/67f1\n3:cpu,cpuacct:/docker/67f1\n0::/system.slice/docker.service\n",
        {"memory/docker/67f1/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"},
        3,
    ),
    "version 2": (
        f"0::/{SCOPE}\n",
        {
            f"{SCOPE}/memory.events": (
                "low 0\nhigh 0\nmax 212\noom 2\noom_kill 2\noom_group_kill 0\nsock_throttled 0\n"
            )
        },
        2,
    ),
    "version 2, none": (
        f"0::/{SCOPE}\n",
        {f"{SCOPE}/memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\noom_group_kill 0\n"},
        0,
    ),
    # It has ended meanwhile, and its group with it.
    "gone": ("0::/\n", {}, 0),
}


def rooted(text, root):
    """A program that looks for the kernel's files below a folder."""
    return re.sub(r"/(?=(sys/fs/cgroup|proc)\b)", f"{root}/", text)


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.mark.parametrize("of", KILLED)
def test_how_many_processes_of_a_container_were_killed_for_memory(tmp_path, of):
    told, files, killed = KILLED[of]
    write(tmp_path, {f"proc/{PID}/cgroup": told})
    write(tmp_path / "sys/fs/cgroup", files)
    docker = f"docker() {{ echo {PID}; }}"
    script = f"{docker}\n{rooted(memory.KILLS, tmp_path)}\nkills 67f1"
    done = subprocess.run(("bash", "-c", script), capture_output=True, text=True, check=True)
    assert done.stdout == f"{killed}\n"


@pytest.mark.parametrize("of", KILLED)
def test_the_doctor_counts_them_without_a_program(tmp_path, monkeypatch, of):
    told, files, killed = KILLED[of]
    write(tmp_path, {f"proc/{PID}/cgroup": told})
    write(tmp_path / "sys/fs/cgroup", files)
    monkeypatch.setattr(asking, "PROCESSES", str(tmp_path / "proc"))
    monkeypatch.setattr(asking, "CGROUPS", str(tmp_path / "sys/fs/cgroup"))
    assert asking.kills(PID) == killed


MACHINE = "MemTotal:       24000000 kB\nMemFree:  100 kB\nMemAvailable:   9000000 kB\n"
EVENTS = "low 0\nhigh 0\nmax 212\noom 2\n"
# (files of the node's own group, what is too little of 2048 MiB, or None)
OF_NODES = {
    "version 1": (
        {
            "memory/memory.limit_in_bytes": "2147483648\n",
            "memory/memory.usage_in_bytes": "2126512128\n",
            "memory/memory.stat": "inactive_file 9\nrss 7\ntotal_inactive_file 10485760\n",
        },
        "30 MiB of 2048 MiB are free",
    ),
    "version 2": (
        {
            "memory.max": "2147483648\n",
            "memory.current": "2126512128\n",
            "memory.stat": "anon 7\nfile 8\ninactive_file 10485760\nactive_file 3\n",
            "memory.events": EVENTS,
        },
        "30 MiB of 2048 MiB are free",
    ),
    "version 2, no limit": (
        {
            "memory.max": "max\n",
            "memory.current": "2126512128\n",
            "memory.stat": "anon 7\nfile 8\ninactive_file 10485760\nactive_file 3\n",
        },
        None,
    ),
    # A virtual machine: the group of all has a record, and no limit.
    "version 2, the whole machine": (
        {"memory.stat": "anon 7\nfile 8\ninactive_file 10485760\nactive_file 3\n"},
        None,
    ),
}


@pytest.mark.parametrize("of", OF_NODES)
def test_how_much_memory_a_node_has_left(tmp_path, of):
    files, short = OF_NODES[of]
    write(tmp_path, {"proc/meminfo": MACHINE})
    write(tmp_path / "sys/fs/cgroup", files)
    answer = asking.read([rooted(path, tmp_path) for path in questions.MEMORY], 3)
    failure = nodes.memory("ubuntu1", Answer(*answer))
    assert (failure.evidence if failure else None) == short
