"""lab.yml: what it means, and that each mistake is named with its key, its value and a remedy."""

import pytest

from lab.config import topology
from lab.config.topology import NodeSettings, TopologyError
from tests.unit.delivered import TEXT as DELIVERED
from tests.unit.hosts.own_lab import own_lab

# (what to replace in lab.yml, by what, the one line that must come)
MISTAKES = [
    (
        "builder: ubuntu1",
        "builder: ubuntu9",
        "lab.yml: builder: 'ubuntu9' is no node; the nodes are ubuntu1, ubuntu2, ubuntu3, ubuntu4",
    ),
    (
        "mysql: [ubuntu1, ubuntu2, ubuntu3]",
        "mysql: [ubuntu1, ubuntu2, ubuntu7]",
        "lab.yml: mysql[2]: 'ubuntu7' is no node; the nodes are ubuntu1, ubuntu2, ubuntu3, ubuntu4",
    ),
    (
        "django: ubuntu3",
        "django: ubunto3",
        "lab.yml: web[2].django: 'ubunto3' is no node;"
        " the nodes are ubuntu1, ubuntu2, ubuntu3, ubuntu4",
    ),
    (
        "  ubuntu4: {",
        "  ubuntu 4: {",
        "lab.yml: nodes: 'ubuntu 4' should be a name of up to 32 of a-z, 0-9 and -,"
        " beginning with a letter and not ending with -",
    ),
    (
        "  ubuntu4: {",
        "  ubuntu-: {",
        "lab.yml: nodes: 'ubuntu-' should be a name of up to 32 of a-z, 0-9 and -,"
        " beginning with a letter and not ending with -",
    ),
    (
        "  ubuntu4: {",
        f"  u{'4' * 32}: {{",
        "lab.yml: nodes: 'u44444444444444444444444444444444' should be a name of up to 32"
        " of a-z, 0-9 and -, beginning with a letter and not ending with -",
    ),
    (
        "  ubuntu4: {",
        "  localhost: {",
        "lab.yml: nodes: 'localhost' is every machine's own name: choose another",
    ),
    (
        "  ubuntu4: {",
        "  ip6-allnodes: {",
        "lab.yml: nodes: 'ip6-allnodes' is every machine's own name: choose another",
    ),
    (
        "  ubuntu4: {",
        "  ubuntu3: {",
        "lab.yml: line 15: ubuntu3 is there already, in line 14: rename or remove one",
    ),
    (
        "host: 11,",
        "host: 011,",
        "lab.yml: line 12: 011 may be read in more than one way:"
        " write a number as 11 or 0.5, and any other value in quotes",
    ),
    (
        "mode: custom-bridge",
        "mode: bridge",
        "lab.yml: web[1].mode: 'bridge' should be"
        " 'default-bridge', 'custom-bridge', 'unix-socket', 'all-in-one' or 'separate-hosts'",
    ),
    (
        "mode: custom-bridge",
        "mode: [custom-bridge]",
        "lab.yml: web[1].mode: ['custom-bridge'] should be"
        " 'default-bridge', 'custom-bridge', 'unix-socket', 'all-in-one' or 'separate-hosts'",
    ),
    (
        "{mode: custom-bridge, django: ubuntu2, nginx: ubuntu2}",
        "{mode: separate-hosts, django: ubuntu3, nginx: ubuntu2}",
        "lab.yml: web[2].django: port 29000 of 192.168.56.13 is bound by web[1].django already:"
        " choose another node",
    ),
    ("memory: 2048", "memroy: 2048", "lab.yml: nodes.ubuntu4.memory: missing: add it"),
    (
        "memory: 2048",
        "memory: 512",
        "lab.yml: nodes.ubuntu4.memory: 512 should be greater than or equal to 1024",
    ),
    (
        "memory: 2048",
        "memory: 999999999",
        "lab.yml: nodes.ubuntu4.memory: 999999999 should be less than or equal to 16777216",
    ),
    (
        "memory: 384",
        "memory: 16777217",
        "lab.yml: limits.django.memory: 16777217 should be less than or equal to 16777216",
    ),
    (
        "cpus: 0.5",
        "cpus: 0.009",
        "lab.yml: limits.keepalived.cpus: 0.009 should be greater than or equal to 0.01",
    ),
    (
        "cpus: 0.5",
        "cpus: 1025",
        "lab.yml: limits.keepalived.cpus: 1025 should be less than or equal to 1024",
    ),
    (
        "virtual_host: 10 ",
        "virtual_hots: 10 ",
        "lab.yml: virtual_hots: unknown key: remove it or correct its name",
    ),
    (
        "host: 12",
        "host: 300",
        "lab.yml: nodes.ubuntu2.host: 300 should be less than or equal to 254",
    ),
    (
        "host: 12",
        "host: 11",
        "lab.yml: nodes.ubuntu2.host: 11 is nodes.ubuntu1.host's already: choose another, 2 to 254",
    ),
    (
        "host: 12",
        "host: 10",
        "lab.yml: nodes.ubuntu2.host: 10 is virtual_host's already: choose another, 2 to 254",
    ),
    (
        "192.168.56.0/24",
        "192.168.56.0/16",
        "lab.yml: subnet: '192.168.56.0/16' should be a network such as 192.168.56.0/24",
    ),
    (
        "192.168.56.0/24",
        "192.168.0.0/16",
        "lab.yml: subnet: '192.168.0.0/16' should be a /24, such as 192.168.56.0/24",
    ),
    (
        "192.168.56.0/24",
        "10.199.7.0/24",
        "lab.yml: subnet: '10.199.7.0/24' should be within 10.0.0.0/8, 172.16.0.0/12,"
        " 192.168.0.0/16, which are private, and outside 10.199.0.0/16, which Docker inside the"
        " nodes uses",
    ),
    (
        "nginx: ubuntu4",
        "nginx: ubuntu3",
        "lab.yml: web[2].nginx: 'ubuntu3' should be another node than django's:"
        " the mode is separate-hosts",
    ),
    (
        "django: ubuntu2, nginx: ubuntu2",
        "django: ubuntu2, nginx: ubuntu3",
        "lab.yml: web[1].nginx: 'ubuntu3' should be 'ubuntu2':"
        " in custom-bridge both run on one node",
    ),
    (
        "django: ubuntu2, nginx: ubuntu2",
        "django: ubuntu3, nginx: ubuntu3",
        "lab.yml: web[1].nginx: port 80 of 192.168.56.13 is bound by HAProxy (balancers[0])"
        " already: choose another node",
    ),
    (
        "django: ubuntu2, nginx: ubuntu2",
        "django: ubuntu1, nginx: ubuntu1",
        "lab.yml: web[1].nginx: port 80 of 192.168.56.11 is bound by web[0].nginx already:"
        " choose another node",
    ),
    (
        "mysql: [ubuntu1, ubuntu2, ubuntu3]",
        "mysql: [ubuntu1, ubuntu2]",
        "lab.yml: mysql: [ubuntu1, ubuntu2] should be at least 3 nodes:"
        " a group of three survives the loss of one server",
    ),
    (
        "cassandra: [ubuntu1, ubuntu2, ubuntu3, ubuntu4]",
        "cassandra: [ubuntu1, ubuntu1, ubuntu1]",
        "lab.yml: cassandra: [ubuntu1, ubuntu1, ubuntu1] should name each node once",
    ),
    (
        "cassandra: [ubuntu1, ubuntu2, ubuntu3, ubuntu4]",
        "cassandra: [ubuntu1, ubuntu2]",
        "lab.yml: cassandra: [ubuntu1, ubuntu2] should be at least 3 nodes:"
        " posts are kept three times",
    ),
    (
        "balancers: [ubuntu3, ubuntu4]",
        "balancers: [ubuntu3]",
        "lab.yml: balancers: [ubuntu3] should be at least 2 nodes: one takes over from the other",
    ),
    (
        "balancers: [ubuntu3, ubuntu4]",
        "balancers: [ubuntu3, ubuntu4, ubuntu1]",
        "lab.yml: balancers: [ubuntu3, ubuntu4, ubuntu1] should be two nodes: one and its standby",
    ),
    (
        "pids: 256, write: 100",
        "pids: many, write: 100",
        "lab.yml: limits.mysql.pids: 'many' should be a valid integer",
    ),
    (
        '# machines: {box: "somebody/ubuntu-24.04", version: "202508.03.0", cpus: 2}',
        "machines: {provider: docker}",
        "lab.yml: machines.provider: 'docker' should be ssh, or be left out:"
        " VAGRANT_DEFAULT_PROVIDER asks for another",
    ),
    (
        '# machines: {box: "somebody/ubuntu-24.04", version: "202508.03.0", cpus: 2}',
        "machines: {provider: ssh}",
        "lab.yml: nodes.ubuntu3.ssh: missing: add it, such as ssh: admin@192.168.56.13",
    ),
    (
        '# machines: {box: "somebody/ubuntu-24.04", version: "202508.03.0", cpus: 2}',
        "machines: {provider: ssh, cpus: 2}",
        "lab.yml: machines.cpus: 2 is for machines that are made, and with provider: ssh none are:"
        " leave it out",
    ),
    (
        "host: 12,",
        "host: 12, ssh: admin@192.168.56.12,",
        "lab.yml: nodes.ubuntu2.ssh: 'admin@192.168.56.12' is for hosts of your own:"
        " say so with machines: {provider: ssh}, or leave it out",
    ),
    (
        "host: 12,",
        "host: 12, ssh: 192.168.56.12,",
        "lab.yml: nodes.ubuntu2.ssh: '192.168.56.12' should be USER@ADDRESS, such as"
        " admin@192.168.56.11",
    ),
    (
        "host: 12,",
        "host: 12, port: 65536,",
        "lab.yml: nodes.ubuntu2.port: 65536 should be less than or equal to 65535",
    ),
    ("mysql: [", "mysql: ubuntu1 #", "lab.yml: mysql: 'ubuntu1' should be a list"),
    (
        '# registry: {address: "registry.example.org:5000"',
        'registry: {address: "registry.example.org"',
        "lab.yml: registry.address: 'registry.example.org' should be HOST:PORT",
    ),
    (
        '# origins: ["http://lab.example.org:8080", "https',
        'origins: ["http://lab.example.org:8080", "ftp',
        "lab.yml: origins[1]: 'ftp://lab.example.org' should be http or https, a host and perhaps a"
        " port, such as https://lab.example.org:8443",
    ),
    (
        '# origins: ["http://lab.example.org:8080", "https://lab.example.org"]',
        "origins: https://lab.example.org",
        "lab.yml: origins: 'https://lab.example.org' should be a list",
    ),
    (
        '# origins: ["http://lab.example.org:8080", "https://lab.example.org"]',
        "origins: [8080]",
        "lab.yml: origins[0]: 8080 should be a valid string",
    ),
]


@pytest.mark.parametrize(("old", "new", "line"), MISTAKES, ids=[new for _, new, _ in MISTAKES])
def test_a_mistake_is_one_line_with_key_value_and_remedy(old, new, line):
    assert old in DELIVERED
    with pytest.raises(TopologyError) as error:
        topology.load(DELIVERED.replace(old, new), {})
    assert line in error.value.mistakes


def test_hosts_of_one_s_own_are_those_that_are_named():
    lab = topology.load(own_lab(DELIVERED, more=', port: 2222, key: "~/.ssh/rack"'), {})
    assert lab.own_hosts
    assert lab.settings.nodes["ubuntu2"] == NodeSettings(
        host=12, memory=3072, ssh="admin@192.168.56.12", port=2222, key="~/.ssh/rack"
    )
    assert not topology.load(DELIVERED, {}).own_hosts


def test_one_host_is_no_two_nodes():
    with pytest.raises(TopologyError) as error:
        topology.load(own_lab(DELIVERED).replace("admin@192.168.56.12", "root@192.168.56.11"), {})
    assert error.value.mistakes == [
        "lab.yml: nodes.ubuntu2.ssh: 'root@192.168.56.11' is nodes.ubuntu1's host already"
    ]


def test_all_mistakes_come_at_once():
    text = DELIVERED.replace("builder: ubuntu1", "builder: x").replace("host: 12", "host: 11")
    with pytest.raises(TopologyError) as error:
        topology.load(text, {"LAB_NAME": "Wrong Name", "LAB_SUBNET": "nonsense"})
    assert [mistake.split(": ")[:2] for mistake in error.value.mistakes] == [
        ["LAB_NAME", "'Wrong Name' should be up to 20 of a-z, 0-9 and -, the first one a letter"],
        ["LAB_SUBNET", "'nonsense' should be a network such as 192.168.56.0/24"],
        ["lab.yml", "builder"],
        ["lab.yml", "nodes.ubuntu2.host"],
    ]


@pytest.mark.parametrize("text", ["", "- a list", "text"])
def test_a_file_that_is_no_mapping_is_said_to_be_none(text):
    with pytest.raises(TopologyError, match="should be a mapping of keys to values"):
        topology.load(text, {})


def test_what_is_not_yaml_is_said_to_be_none_in_one_line():
    with pytest.raises(TopologyError) as error:
        topology.load("nodes: [", {})
    assert len(error.value.mistakes) == 1
    assert error.value.mistakes[0].startswith("lab.yml: line 1: not YAML: ")
    assert "\n" not in error.value.mistakes[0]


def test_the_delivered_lab_has_these_nodes_and_addresses():
    lab = topology.load(DELIVERED, {})
    assert {node.name: node.address for node in lab.nodes} == {
        "ubuntu1": "192.168.56.11",
        "ubuntu2": "192.168.56.12",
        "ubuntu3": "192.168.56.13",
        "ubuntu4": "192.168.56.14",
    }
    assert (lab.name, lab.virtual_address, lab.registry) == (
        "lab",
        "192.168.56.10",
        "ubuntu1:5000",
    )
    assert lab.web_nodes == ("ubuntu1", "ubuntu2", "ubuntu3", "ubuntu4")


def test_a_lab_has_no_other_ways_than_its_own_unless_it_says_so():
    listed = '# origins: ["http://lab.example.org:8080", "https://lab.example.org"]'
    assert listed in DELIVERED
    assert topology.load(DELIVERED, {}).settings.origins == ()
    assert topology.load(DELIVERED.replace(listed, listed[2:]), {}).settings.origins == (
        "http://lab.example.org:8080",
        "https://lab.example.org",
    )


def test_the_environment_names_and_moves_the_lab():
    lab = topology.load(DELIVERED, {"LAB_NAME": "two", "LAB_SUBNET": "192.168.57.0/24"})
    assert (lab.name, lab.virtual_address) == ("two", "192.168.57.10")


def test_a_node_with_a_web_service_of_its_own_can_change_its_mode():
    lab = topology.load(DELIVERED, {}).with_mode("ubuntu2", "default-bridge")
    assert [service.mode for service in lab.web] == [
        "default-bridge",
        "default-bridge",
        "separate-hosts",
    ]


@pytest.mark.parametrize(
    ("node", "mode", "line"),
    [
        (
            "ubuntu4",
            "custom-bridge",
            "--mode: ubuntu4 runs no web service alone; those that do: ubuntu1, ubuntu2",
        ),
        (
            "ubuntu2",
            "separate-hosts",
            "--mode: 'separate-hosts' is no mode of one node;"
            " those are default-bridge, custom-bridge, unix-socket, all-in-one",
        ),
    ],
)
def test_a_mode_that_a_node_cannot_have_is_refused(node, mode, line):
    with pytest.raises(TopologyError) as error:
        topology.load(DELIVERED, {}).with_mode(node, mode)
    assert error.value.mistakes == [line]
