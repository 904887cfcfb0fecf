"""Each node as a machine: what every one of them must be, whatever runs on it."""

import json
import subprocess

import pytest

from lab.config.paths import FOLDER
from lab.secrets.secrets import SECRETS
from tests.conftest import TOPOLOGY
from tests.nodes import ports

# Docker's own resolver and containerd listen on the node's loopback.
LOOPBACK = ("127.0.0.1", "127.0.0.11", "127.0.0.53", "127.0.0.54", "::1", "[::1]")


def is_container(machine):
    return machine.run("systemd-detect-virt --quiet --container").rc == 0


def test_docker_runs_and_comes_back_after_a_reboot(machine):
    service = machine.service("docker")
    assert service.is_running
    assert service.is_enabled


@pytest.mark.parametrize(
    ("unit", "relation"),
    [("lab-firewall", "Before"), ("lab-firewall", "RequiredBy"), ("lab-names", "Before")],
)
def test_the_firewall_and_all_names_stand_before_docker_starts(machine, unit, relation):
    assert machine.service(unit).is_enabled
    found = machine.check_output(f"systemctl show --property={relation} --value {unit}")
    assert "docker.service" in found.split()


def test_the_follower_of_docker_runs(machine):
    assert machine.service("lab-follow").is_running


def test_every_node_resolves_every_name(machine):
    for node in TOPOLOGY.nodes:
        addresses = machine.check_output("getent ahostsv4 %s", node.name)
        assert {line.split()[0] for line in addresses.splitlines()} == {node.address}


def test_nothing_of_the_lab_listens_on_every_address(machine, node):
    allowed = (TOPOLOGY.address(node), TOPOLOGY.virtual_address, *LOOPBACK)
    listening = machine.check_output("ss --no-header --listening --tcp --numeric")
    listeners = {tuple(line.split()[3].rsplit(":", 1)) for line in listening.splitlines()}
    # Vagrant comes to a virtual machine over another interface than the lab's.
    elsewhere = [] if is_container(machine) else ["22"]
    found = {
        address.split("%")[0]
        for address, port in listeners
        # What else a host of one's own serves is its people's to say.
        if (int(port) in ports.ports(TOPOLOGY) if TOPOLOGY.own_hosts else port not in elsewhere)
    }
    assert found <= set(allowed)


def test_ssh_trusts_a_file_of_the_node_s_own(machine):
    if TOPOLOGY.own_hosts or not is_container(machine):
        pytest.skip(
            "Vagrant puts the login key into a virtual machine itself (README, What was run), and"
            " a host of one's own has it in the home of the lab's user"
        )
    assert machine.file("/etc/ssh/lab_authorized_keys").user == "root"
    assert machine.run("findmnt /etc/ssh/lab_authorized_keys").rc != 0


def test_every_node_is_provisioned_with_what_stands_here(machine):
    digest = subprocess.run(
        FOLDER / "provision" / "node-digest", capture_output=True, text=True, check=True
    ).stdout
    assert machine.file("/etc/lab/provisioned").content_string == digest


def test_docker_s_own_networks_stay_clear_of_the_lab_s(machine):
    answer = machine.check_output(
        "docker network ls --quiet | xargs docker network inspect --format '{{json .IPAM.Config}}'"
    )
    subnets = [
        config["Subnet"] for line in answer.splitlines() for config in json.loads(line) or []
    ]
    assert subnets
    assert all(subnet.startswith("10.199.") for subnet in subnets)


def test_secrets_are_files_that_only_their_reader_may_open(machine):
    found = machine.check_output("find /etc/lab/secrets -type f -printf '%m %u %p\n'")
    for line in found.splitlines():
        mode, user, path = line.split()
        assert mode == "600", path
        assert user != "root", path


def test_no_secret_stands_in_a_container_s_settings_or_a_command_line(machine):
    secrets = [path.read_text() for path in SECRETS.iterdir()]
    inspected = machine.check_output("docker ps --quiet | xargs --no-run-if-empty docker inspect")
    commands = machine.check_output("ps -e -ww -o args=")
    assert len(secrets) == 11
    assert not [secret for secret in secrets if secret in inspected or secret in commands]
