"""Which hosts can be nodes, and the line that says why one can't."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network

import pytest

from lab.config import topology
from lab.hosts.facts import Owner
from lab.hosts.judge import Self, of_architectures, of_docker, of_the_address, refusals
from tests.unit.delivered import TEXT
from tests.unit.hosts.own_lab import own_lab
from tests.unit.hosts.test_facts import FACTS

LAB = topology.load(own_lab(TEXT), {})
OTHERS = frozenset({"192.168.56.12", "192.168.56.13", "192.168.56.14"})
PLAIN = replace(
    FACTS,
    memory=4096,
    docker=(),
    replaced=(),
    paths=(),
    owner=None,
    provisioned="",
    reached=OTHERS,
)
SELF = Self("lab", "/home/me/lab", "desk", "AAAAmine")
MINE = Owner("lab", "/home/me/renamed", "laptop", "AAAAmine", "2026-11-30 12:00:00")
LOST = Owner("lab", "/home/me/lab", "desk", "AAAAlost", "2026-11-30 12:00:00")
THEIRS = Owner("lab", "/home/you/lab", "desk", "AAAAyours", "2026-11-30 12:00:00")

# (what is different on ubuntu1, what is said of it)
JUDGED = [
    ({}, []),
    ({"sudo": "root"}, []),
    ({"system": "ubuntu", "version": (24, 4)}, []),
    ({"version": (9999,)}, []),
    (
        {"version": (12,), "called": "Debian GNU/Linux 12 (bookworm)"},
        [
            "runs Debian GNU/Linux 12 (bookworm): it should be Debian 13 or newer, or Ubuntu 24.04"
            " or newer"
        ],
    ),
    (
        {"system": "ubuntu", "version": (22, 4), "called": "Ubuntu 22.04.5 LTS"},
        ["runs Ubuntu 22.04.5 LTS: it should be Debian 13 or newer, or Ubuntu 24.04 or newer"],
    ),
    (
        {"system": "fedora", "version": (42,), "called": "Fedora Linux 42"},
        ["runs Fedora Linux 42: it should be Debian 13 or newer, or Ubuntu 24.04 or newer"],
    ),
    ({"systemd": False}, ["does not run by systemd: it should"]),
    (
        {"memory": 3930},
        ["has 3930 MiB of memory: nodes.ubuntu1.memory: 4096 should be no more"],
    ),
    ({"disk": 3071}, ["has 3071 MiB free below /var/lib: free 3072"]),
    (
        {"sudo": "none"},
        ["has no sudo, and its user is not root: install sudo and let the user use it"],
    ),
    (
        {"addresses": (IPv4Interface("127.0.0.1/8"), IPv4Interface("10.0.0.5/24"))},
        [
            "has not the address 192.168.56.11 that lab.yml gives it (nodes.ubuntu1.host, subnet),"
            " but 10.0.0.5/24"
        ],
    ),
    ({"addresses": ()}, ["has no `ip` to tell its addresses: install iproute2 there"]),
    (
        {"addresses": (IPv4Interface("192.168.56.11/25"),)},
        ["has 192.168.56.11/25: it should be in one network with all of 192.168.56.0/24"],
    ),
    ({"addresses": (IPv4Interface("192.168.56.11/16"),)}, []),
    (
        {"reached": OTHERS - {"192.168.56.13"}},
        ["does not reach ubuntu3 (192.168.56.13) at port 7000: is a firewall between them?"],
    ),
    ({"docker": ("docker.io",)}, []),
    (
        {"docker": ("docker-ce", "docker-ce-cli"), "replaced": ("docker-ce",)},
        ["has a Docker that is not docker.io (docker-ce, docker-ce-cli): take another host"],
    ),
    (
        {"replaced": ("libc6", "curl")},
        [
            "would have packages upgraded or removed by the node's (libc6, curl): `sudo apt-get"
            " upgrade` there, or take another host"
        ],
    ),
    (
        {"paths": ("/etc/lab", "/home/dock")},
        ["has /etc/lab, /home/dock already, which the lab would write: move that away"],
    ),
    ({"login": True}, ["has a user lab-tasks already, whom the lab would make: remove that"]),
    (
        {"listening": (("*", 9042), ("192.168.56.11", 80), ("0.0.0.0", 8080))},
        ["has port 80, 9042 in use, which the lab needs: end what listens there (`ss -ltnp`)"],
    ),
    # The virtual address, and where nobody is in the way.
    (
        {"listening": (("192.168.56.10", 9080),)},
        ["has port 9080 in use, which the lab needs: end what listens there (`ss -ltnp`)"],
    ),
    ({"listening": (("127.0.0.1", 3306), ("10.0.0.5", 80))}, []),
    (
        {"routes": (IPv4Network("0.0.0.0/0"), IPv4Network("10.199.8.0/24"))},
        ["has a route to 10.199.8.0/24, and Docker's networks would be in 10.199.0.0/16"],
    ),
    (
        {"owner": THEIRS, "paths": ("/etc/lab",), "listening": (("*", 80),)},
        [
            "is a node of the lab 'lab' of /home/you/lab on desk since 2026-11-30 12:00:00 UTC:"
            " use that, or take another host (LAB_REPLACE=yes replaces that lab, with its data)"
        ],
    ),
    # What a lab's own node has is the lab's.
    (
        {
            "owner": MINE,
            "provisioned": "192.168.56.11",
            "paths": ("/etc/lab",),
            "listening": (("*", 80),),
            "login": True,
            "docker": ("docker.io",),
            "reached": frozenset(),
        },
        [],
    ),
    ({"owner": LOST, "provisioned": ""}, []),
    (
        {"owner": MINE, "provisioned": "192.168.56.19"},
        [
            "is this lab's node with the address 192.168.56.19: `make destroy` with the lab.yml of"
            " that time, then `make up`"
        ],
    ),
    (
        {"memory": 1000, "paths": ("/etc/lab",)},
        [
            "has 1000 MiB of memory: nodes.ubuntu1.memory: 4096 should be no more",
            "has /etc/lab already, which the lab would write: move that away",
        ],
    ),
]


@pytest.mark.parametrize(("different", "said"), JUDGED)
def test_a_reason_against_a_host_is_one_line_that_names_it(different, said):
    found = {"ubuntu1": replace(PLAIN, **different)}
    assert refusals(LAB, found, SELF) == [f"ubuntu1 (admin@192.168.56.11): {line}" for line in said]


@pytest.mark.parametrize(
    ("key", "owner", "has"),
    [
        # A clone without a .lab, and a copy's host (kept.as_seen_here).
        ("", replace(THEIRS, key=""), False),
        ("", THEIRS, False),
        ("", LOST, True),
        ("AAAAmine", replace(LOST, machine="another"), False),
    ],
)
def test_who_has_no_key_has_no_other_s_host(key, owner, has):
    assert replace(SELF, key=key).has(owner) == has


def test_another_lab_s_hosts_are_taken_only_if_that_is_asked_for():
    found = {"ubuntu1": replace(PLAIN, owner=THEIRS)}
    assert refusals(LAB, found, SELF, replace=True) == []
    named_otherwise = replace(THEIRS, key="AAAAmine", name="two")
    assert len(refusals(LAB, {"ubuntu1": replace(PLAIN, owner=named_otherwise)}, SELF)) == 1


def test_all_hosts_are_of_the_builder_s_processor():
    found = {"ubuntu1": PLAIN, "ubuntu2": replace(PLAIN, architecture="aarch64"), "ubuntu3": PLAIN}
    assert of_architectures(LAB, found) == [
        "ubuntu2 (admin@192.168.56.12): is aarch64, and ubuntu1, which builds the images, is x86_64"
    ]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", []),
        ("\n", []),
        (
            "container web\nvolume data\n\n",
            [
                "ubuntu2 (admin@192.168.56.12): its Docker is in use (container web, volume data):"
                " take another host, or remove that first"
            ],
        ),
        (
            "data /var/lib/docker\ndata /var/lib/containerd\n",
            [
                "ubuntu2 (admin@192.168.56.12): has /var/lib/docker, /var/lib/containerd, and no"
                " Docker runs there to tell what of: start that, take another host, or move the"
                " data away"
            ],
        ),
        (
            "container a\ncontainer b\nimage c:1\nnetwork d\nswarm active\n",
            [
                "ubuntu2 (admin@192.168.56.12): its Docker is in use (container a, container b,"
                " image c:1 and 2 more): take another host, or remove that first"
            ],
        ),
    ],
)
def test_a_docker_that_is_used_already_is_not_touched(told, said):
    assert of_docker(LAB, "ubuntu2", told) == said


@pytest.mark.parametrize(
    ("cloud", "where"),
    [("", ""), ("Amazon EC2", " (Amazon EC2, where addresses are its own to give)")],
)
def test_where_no_address_moves_that_is_said_and_whose_cloud_it_is(cloud, where):
    assert of_the_address(LAB, "ubuntu3", "ubuntu4", cloud) == (
        f"ubuntu4 gets no answer from 192.168.56.10 while ubuntu3 has it{where}: no virtual address"
        " can move between the balancers there; use hosts in one network of your own, and let port"
        " 80 through"
    )
