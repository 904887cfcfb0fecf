"""The containers of each node: which run, and how they are kept in their place."""

import json

import pytest

from tests.conftest import TOPOLOGY
from tests.nodes.conftest import host

# program -> user inside the container, capabilities beyond none
PROGRAMS = {
    "django": ("app", []),
    "nginx": ("nginx", []),
    "allinone": ("app", []),
    "mysql": ("mysql", []),
    "cassandra": ("cassandra", []),
    "haproxy": ("haproxy", []),
    "keepalived": ("root", ["NET_ADMIN", "NET_RAW", "SETGID", "SETUID", "SYS_NICE"]),
    "registry": ("registry", []),
}


def expected_programs(node):
    settings = TOPOLOGY.settings
    programs = {
        "registry": node == TOPOLOGY.builder and settings.registry is None,
        "mysql": node in settings.mysql,
        "cassandra": node in settings.cassandra,
        "haproxy": node in settings.balancers,
        "keepalived": node in settings.balancers,
        "django": sum(service.django == node for service in TOPOLOGY.web),
        "nginx": sum(service.nginx == node for service in TOPOLOGY.web),
    }
    return sorted(program for program, count in programs.items() for _ in range(count))


@pytest.fixture(scope="session")
def inspected():
    """node -> what `docker inspect` says of each of its containers, with their health as it is."""
    return {
        node: json.loads(host(node).check_output("lab-observe"))["containers"]
        for node in TOPOLOGY.names
    }


def program_of(container):
    return container["Config"]["Labels"]["lab.service"]


def test_each_node_runs_the_programs_that_lab_yml_places_there(inspected, node):
    assert sorted(map(program_of, inspected[node])) == expected_programs(node)


def test_every_container_is_running_and_healthy(inspected, node):
    states = {
        one["Name"]: (one["State"]["Status"], one["State"]["Health"]["Status"])
        for one in inspected[node]
    }
    assert states == dict.fromkeys(states, ("running", "healthy"))


def test_containers_run_as_their_own_users_with_nothing_to_spare(inspected, node):
    for one in inspected[node]:
        program = program_of(one)
        user, capabilities = PROGRAMS[program]
        settings = one["HostConfig"]
        assert one["Config"]["User"] == user, program
        assert settings["ReadonlyRootfs"], program
        assert not settings["Privileged"], program
        assert settings["CapDrop"] == ["ALL"], program
        assert sorted(cap.removeprefix("CAP_") for cap in settings["CapAdd"] or []) == capabilities
        assert settings["SecurityOpt"] == ["no-new-privileges"], program
        assert settings["RestartPolicy"]["Name"] == "always", program


def test_containers_have_the_limits_of_lab_yml(inspected, node):
    for one in inspected[node]:
        program = program_of(one)
        limit = getattr(TOPOLOGY.limits, program)
        settings = one["HostConfig"]
        assert settings["NanoCpus"] == int(limit.cpus * 1e9), program
        assert settings["Memory"] == limit.memory * 2**20, program
        assert settings["MemorySwap"] == limit.memory * 2**20, program
        assert settings["PidsLimit"] == limit.pids, program


def test_the_disk_write_limit_is_in_force(inspected, node):
    machine = host(node)
    for one in inspected[node]:
        program = program_of(one)
        limit = getattr(TOPOLOGY.limits, program).write * 2**20
        assert str(limit) in write_limits(machine, one["State"]["Pid"]), program


def write_limits(machine, process):
    """Bytes per second, per disk, in the form of the version of cgroups that the machine has."""
    groups = dict(
        line.split(":", 2)[1:]
        for line in machine.check_output(f"cat /proc/{process}/cgroup").splitlines()
    )
    root = "/sys/fs/cgroup"
    if machine.file(f"{root}/cgroup.controllers").exists:
        words = machine.check_output(f"cat {root}{groups['']}/io.max").split()
        return [word.removeprefix("wbps=") for word in words if word.startswith("wbps=")]
    throttle = f"{root}/blkio{groups['blkio']}/blkio.throttle.write_bps_device"
    return machine.check_output(f"cat {throttle}").split()[1::2]


def test_logs_are_bounded(inspected, node):
    for one in inspected[node]:
        assert one["HostConfig"]["LogConfig"] == {
            "Type": "json-file",
            "Config": {"max-size": "10m", "max-file": "3"},
        }, program_of(one)


def test_images_come_from_the_registry_by_the_digest_of_their_inputs(inspected, node):
    for one in inspected[node]:
        program = program_of(one)
        registry, _, rest = one["Config"]["Image"].partition("/")
        name, _, tag = rest.partition(":")
        assert registry == TOPOLOGY.registry, program
        assert name and len(tag) == 12, program
