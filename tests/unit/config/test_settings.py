"""What Vagrant goes by of lab.yml and the environment: checked by Ruby as by Python."""

import json

import pytest

from lab.config import topology
from lab.config.topology import TopologyError
from tests.unit import ruby
from tests.unit.delivered import TEXT as DELIVERED

REFUSED_SUBNETS = [
    "0.0.0.0/24",
    "127.0.0.0/24",
    "169.254.7.0/24",
    "224.0.0.0/24",
    "240.0.0.0/24",
    "255.255.255.0/24",
    "100.64.0.0/24",
    "192.0.2.0/24",
    "198.18.0.0/24",
    "203.0.113.0/24",
    "8.8.8.0/24",
    "172.32.0.0/24",
    "10.199.255.0/24",
    "192.168.57.1/24",
    "192.168.57.0/25",
    "192.168.57.0/16",
    "192.168.57.0",
    "192.168.57.0/255.255.255.0",
    "192.168.57.0/0.0.0.255",
    "192.168.57.0/024",
    "192.168.057.0/24",
    " 192.168.57.0/24",
    "192.168.57.0/24\n",
    "١٩٢.168.57.0/24",
    "fd00::/24",
    "3232250112/24",
    "",
]
SUBNETS = ["10.0.0.0/24", "10.255.255.0/24", "172.16.0.0/24", "172.31.255.0/24", "192.168.0.0/24"]

# (environment, the line of both)
ENVIRONMENTS = [
    (
        {"LAB_NAME": "Two"},
        "LAB_NAME: 'Two' should be up to 20 of a-z, 0-9 and -, the first one a letter",
    ),
    ({"LAB_NAME": "host"}, "LAB_NAME: 'host' is a network of Docker's own: choose another"),
    ({"LAB_REPLACE": "no"}, "LAB_REPLACE: 'no' should be yes, or not set"),
    ({"LAB_REPLACE": ""}, "LAB_REPLACE: '' should be yes, or not set"),
]
REPLACING = {"LAB_REPLACE": "yes"}

NODE = {"host": 11, "memory": 2048}
# (what is different in a lab of one node, how Ruby's line begins)
CHANGED = [
    ({"nodes": None}, "lab.yml: nodes: should be a mapping of names to host and memory,"),
    ({"nodes": {}}, "lab.yml: nodes: should be a mapping of names to host and memory,"),
    ({"nodes": ["one"]}, "lab.yml: nodes: should be a mapping of names to host and memory,"),
    ({"nodes": {"one": None}}, "lab.yml: nodes.one: should be a mapping such as {host: 11,"),
    (
        {"nodes": {"one": NODE, "two-": NODE}},
        'lab.yml: nodes: "two-" should be a name of up to 32',
    ),
    ({"nodes": {"one": NODE, "localhost": NODE}}, 'lab.yml: nodes: "localhost" is every mach'),
    *(
        ({"nodes": {"one": NODE, name: NODE}}, f'lab.yml: nodes: "{name}" is every machine')
        for name in ("ip6-localhost", "ip6-allnodes", "ip6-mcastprefix", "broadcasthost")
    ),
    (
        {"nodes": {"one": NODE | {"memory": 16777217}}},
        "lab.yml: nodes.one.memory: 16777217 should be a number from 1024 to 16777216",
    ),
    ({"nodes": {"one": NODE | {"host": 1}}}, "lab.yml: nodes.one.host: 1 should be a number"),
    ({"nodes": {"one": {"memory": 2048}}}, "lab.yml: nodes.one.host: nil should be a number"),
    ({"nodes": {"one": NODE | {"memory": "x"}}}, 'lab.yml: nodes.one.memory: "x" should be'),
    ({"nodes": {"one": NODE, "two": NODE}}, "lab.yml: nodes.two.host: 11 is nodes.one.host's"),
    ({"builder": "two"}, 'lab.yml: builder: "two" is no node; the nodes are one'),
    ({"subnet": 5}, 'lab.yml: subnet: "5" should be a private /24'),
    ({"machines": None}, "lab.yml: machines: should be a mapping such as {cpus: 2}"),
    (
        {"machines": {"provider": "ssh"}},
        "lab.yml: machines.provider: ssh: these nodes are hosts of your own, and not Vagrant's:",
    ),
    (
        {"machines": {"provider": "docker"}},
        'lab.yml: machines.provider: "docker" should be ssh, or be left out',
    ),
    ({"machines": {"cpu": 2}}, "lab.yml: machines.cpu: unknown key: remove it or correct its name"),
    ({"machines": {"cpus": 0}}, "lab.yml: machines.cpus: 0 should be a number from 1 to 64"),
    ({"machines": {"box": "a/b/c"}}, 'lab.yml: machines.box: "a/b/c" should be a box\'s name'),
    ({"machines": {"version": 1.5}}, "lab.yml: machines.version: 1.5 should be a box's version,"),
]
MACHINES = [
    {},
    {"box": "debian-13"},
    {"box": "bento/ubuntu-24.04", "version": "202508.03.0", "cpus": 64},
]


@pytest.fixture(scope="module")
def in_ruby():
    """The mistakes that Ruby finds in a lab of one node that is changed so, in an environment."""
    asked = [({}, {"LAB_SUBNET": subnet}) for subnet in (*REFUSED_SUBNETS, *SUBNETS)]
    asked += [({}, environment) for environment, _ in ENVIRONMENTS]
    asked += [({}, REPLACING), *((changed, {}) for changed, _ in CHANGED)]
    asked += [({"machines": machines}, {}) for machines in MACHINES]
    one = {"subnet": "192.168.56.0/24", "builder": "one", "nodes": {"one": NODE}}
    program = """
    require './provision/settings'
    puts JSON.generate(given.map { |arguments| Settings.mistakes(*arguments) })
    """
    found = ruby.ask(program, [(one | changed, environment) for changed, environment in asked])
    answers = {repr(one): mistakes for one, mistakes in zip(asked, found, strict=True)}
    return lambda changed, environment: answers[repr((changed, environment))]


def mistakes(environment):
    with pytest.raises(TopologyError) as error:
        topology.load(DELIVERED, environment)
    return error.value.mistakes


@pytest.mark.parametrize("subnet", REFUSED_SUBNETS)
def test_a_network_that_is_not_usable_is_refused(subnet):
    assert all(line.startswith("LAB_SUBNET: ") for line in mistakes({"LAB_SUBNET": subnet}))


@pytest.mark.parametrize("subnet", REFUSED_SUBNETS)
def test_ruby_refuses_it_too(subnet, in_ruby):
    (line,) = in_ruby({}, {"LAB_SUBNET": subnet})
    assert line.startswith("LAB_SUBNET: ")


@pytest.mark.parametrize("subnet", SUBNETS)
def test_a_private_network_is_taken(subnet):
    assert str(topology.load(DELIVERED, {"LAB_SUBNET": subnet}).subnet) == subnet


@pytest.mark.parametrize("subnet", SUBNETS)
def test_ruby_takes_it_too(subnet, in_ruby):
    assert in_ruby({}, {"LAB_SUBNET": subnet}) == []


@pytest.mark.parametrize(("environment", "line"), ENVIRONMENTS)
def test_a_mistake_in_the_environment_is_named(environment, line):
    assert mistakes(environment) == [line]


@pytest.mark.parametrize(("environment", "line"), ENVIRONMENTS)
def test_ruby_names_it_too(environment, line, in_ruby):
    assert [found.replace('"', "'") for found in in_ruby({}, environment)] == [line]


def test_a_lab_may_be_told_to_replace_another(in_ruby):
    assert topology.load(DELIVERED, REPLACING).name == "lab"
    assert in_ruby({}, REPLACING) == []


@pytest.mark.parametrize(("changed", "line"), CHANGED)
def test_ruby_names_a_mistake_in_what_it_reads(changed, line, in_ruby):
    (found,) = in_ruby(changed, {})
    assert found.startswith(line)


@pytest.mark.parametrize("machines", MACHINES)
def test_both_take_what_virtual_machines_are_made_of(machines, in_ruby):
    assert in_ruby({"machines": machines}, {}) == []
    document = DELIVERED + f"\nmachines: {json.dumps(machines)}\n"
    found = topology.load(document, {}).settings.machines
    assert found is not None
    assert found.model_dump(exclude_none=True) == machines


@pytest.mark.parametrize(
    ("machines", "line"),
    [
        ('{box: "a/b/c"}', "machines.box: 'a/b/c' should be a box's name"),
        ('{version: "1 or so"}', "machines.version: '1 or so' should be a box's version"),
        ("{cpus: 0}", "machines.cpus: 0 should be greater than or equal to 1"),
        ("{cpu: 2}", "machines.cpu: unknown key: remove it or correct its name"),
    ],
)
def test_python_names_a_mistake_in_it(machines, line):
    with pytest.raises(TopologyError) as error:
        topology.load(f"{DELIVERED}\nmachines: {machines}\n", {})
    assert error.value.mistakes == [f"lab.yml: {line}"]
