"""What a host tells (provision/hosts/look.sh), as it was seen on one."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lab.hosts.facts import Facts, Owner, facts

TOLD = (Path(__file__).parent / "told.txt").read_text()
FACTS = Facts(
    system="debian",
    version=(13,),
    called="Debian GNU/Linux 13 (trixie)",
    architecture="x86_64",
    systemd=True,
    memory=3930,
    disk=64961,
    addresses=(IPv4Interface("127.0.0.1/8"), IPv4Interface("192.168.56.11/24")),
    routes=(
        IPv4Network("10.8.0.0/16"),
        IPv4Network("192.168.56.0/24"),
        IPv4Network("10.9.9.9/32"),
    ),
    listening=(("0.0.0.0", 22), ("127.0.0.53", 53), ("::", 22), ("*", 8080)),
    cloud="Hetzner Cloud",
    keys=("ssh-ed25519 AAAAC3Nza", "ssh-rsa AAAAB3Nza"),
    sudo="asks",
    docker=("docker.io",),
    replaced=("libc6",),
    paths=("/etc/lab",),
    login=False,
    owner=Owner("lab", "/home/someone/a lab", "desk", "AAAAkey", "2026-11-30 12:00:00"),
    begun=False,
    provisioned="192.168.56.11",
    reached=frozenset({"192.168.56.12", "192.168.56.14"}),
)


def test_what_a_host_tells_is_read():
    assert facts(TOLD) == FACTS


@pytest.mark.parametrize("text", ["", "Welcome!\n", TOLD.replace("== end\n", "")])
def test_what_is_cut_off_tells_nothing(text):
    assert facts(text) is None


@pytest.mark.parametrize(
    ("version", "found"), [('VERSION_ID="24.04"', (24, 4)), ("VERSION=forky", (9999,))]
)
def test_releases_are_numbers_and_one_to_come_has_none(version, found):
    assert facts(TOLD.replace('VERSION_ID="13"', version)).version == found


def test_an_account_that_was_cut_off_is_told():
    found = facts(TOLD.replace("== begun\n", "== begun\nbegun\n"))
    assert found == replace(FACTS, begun=True)


def test_a_shell_that_greets_is_no_part_of_the_answer():
    assert facts(f"Welcome!\nsystem load: 1\n{TOLD}") == FACTS
