"""The programs that every wiring relies on: registry, MySQL, Cassandra, balancers.

Pure: each function is the plan of one program on one node. All of them run on the node's own
network and bind its address, so that clients on other nodes reach them without a proxy between.
"""

from __future__ import annotations

from uuid import NAMESPACE_DNS, uuid5

from lab.config.ports import REGISTRY_PORT
from lab.plan import render
from lab.plan.records import Container, File, Mount, Plan, Volume
from lab.plan.site import Site, secrets_folder

# The first node's host number in the lab as delivered.
FIRST_HOST = 11


def registry(site: Site, node: str, port: int = REGISTRY_PORT) -> Plan:
    """The lab's registry; its images lie in a folder that outlives the node (a named volume)."""
    container = Container(
        name="registry",
        service="registry",
        image=site.images["registry"],
        limit=site.topology.limits.registry,
        network="host",
        environment=(("REGISTRY_HTTP_ADDR", f"{site.topology.address(node)}:{port}"),),
        mounts=(
            Mount("/var/cache/lab/registry", "/var/lib/registry", writable=True),
            Mount(secrets_folder("registry"), "/run/secrets"),
        ),
        temporary=("/tmp",),
        reads=site.secret_files("registry", "registry.crt", "registry.key"),
    )
    return Plan((container,))


def mysql(site: Site, node: str) -> Plan:
    """One server of the replication group."""
    topology = site.topology
    servers = topology.settings.mysql
    container = Container(
        name="mysql",
        service="mysql",
        image=site.images["mysql"],
        limit=topology.limits.mysql,
        network="host",
        environment=(
            ("MYSQL_SERVER_ID", str(servers.index(node) + 1)),
            ("MYSQL_ADDRESS", topology.address(node)),
            ("MYSQL_GROUP_MEMBERS", ",".join(topology.addresses(servers))),
            ("MYSQL_GROUP_NAME", str(uuid5(NAMESPACE_DNS, f"{topology.name}.lab"))),
        ),
        mounts=(
            Mount("mysql_data", "/var/lib/mysql", writable=True),
            Mount(secrets_folder("mysql"), "/run/secrets"),
        ),
        reads=site.secret_files(
            "mysql",
            "mysql_replication_password",
            "mysql_django_password",
            "mysql_migrate_password",
            "mysql_test_password",
        ),
        # Handing the primary's role over, then a clean shutdown.
        stop_seconds=30,
    )
    return Plan((container,), volumes=(Volume("mysql_data"),))


def cassandra(site: Site, node: str) -> Plan:
    """One node of the ring. All are seeds: a new ring is founded when all of them are there."""
    topology = site.topology
    ring = topology.settings.cassandra
    container = Container(
        name="cassandra",
        service="cassandra",
        image=site.images["cassandra"],
        limit=topology.limits.cassandra,
        network="host",
        environment=(
            ("CASSANDRA_ADDRESS", topology.address(node)),
            ("CASSANDRA_SEEDS", ",".join(topology.addresses(ring))),
            ("CASSANDRA_RACK", node),
            ("CASSANDRA_TOKENS", ",".join(map(str, ring_tokens(topology.host_number(node))))),
            ("CASSANDRA_CLUSTER_NAME", topology.name),
        ),
        mounts=(Mount("cassandra_data", "/var/lib/cassandra", writable=True),),
        # Java's native libraries are unpacked there and run.
        temporary=("/tmp:exec", "/run"),
        leave=("leave-ring",),
        stop_seconds=30,
    )
    return Plan((container,), volumes=(Volume("cassandra_data"),))


def ring_tokens(host: int) -> tuple[int, ...]:
    """Four tokens of Murmur3Partitioner's ring (-2**63 to 2**63-1) for the node with a host number.

    Fixed tokens let all nodes start at once, where chosen ones would have to wait for each other.
    They follow from the node's address alone, so that no change of lab.yml moves another node's.
    Reversing the bits puts each further node into the middle of the widest gaps: 4, 8, 16, ...
    nodes with consecutive host numbers from FIRST_HOST on are perfectly even.
    """
    offset = int(f"{(host - FIRST_HOST) % 256:062b}"[::-1], 2)
    return tuple(-(2**63) + quarter * 2**62 + offset for quarter in range(4))


def balancer(site: Site, node: str) -> Plan:
    """HAProxy and, beside it, the keepalived that keeps the virtual address on one of two nodes."""
    topology = site.topology
    rank = topology.settings.balancers.index(node)
    peer = topology.settings.balancers[1 - rank]
    own = topology.address(node)
    haproxy_folder, keepalived_folder = "/etc/lab/haproxy", "/etc/lab/keepalived"
    web = render.template(
        "web.cfg.j2",
        node=node,
        virtual_address=topology.virtual_address,
        # The article's balancer answered on its own address: so does the first one.
        also_bind=[own] if rank == 0 else [],
        web_servers=[(name, topology.address(name)) for name in topology.nginx_nodes],
    )
    mysql_servers = [(name, topology.address(name)) for name in topology.settings.mysql]
    sql = render.template(
        "mysql.cfg.j2", virtual_address=topology.virtual_address, mysql_servers=mysql_servers
    )
    keepalived = render.template(
        "keepalived.conf.j2",
        node=node,
        node_address=own,
        peer_address=topology.address(peer),
        others=[topology.address(name) for name in topology.names if name != node],
        virtual_address=topology.virtual_address,
        prefix_length=topology.subnet.prefixlen,
        priority=110 - 10 * rank,
    )
    haproxy = Container(
        name="haproxy",
        service="haproxy",
        image=site.images["haproxy"],
        limit=topology.limits.haproxy,
        network="host",
        mounts=(
            Mount(haproxy_folder, "/etc/haproxy"),
            Mount(secrets_folder("haproxy"), "/run/secrets"),
        ),
        temporary=("/tmp", "/run/haproxy:uid=10005,gid=10005,mode=0700"),
        reads=(
            File(f"{haproxy_folder}/web.cfg", web),
            File(f"{haproxy_folder}/mysql.cfg", sql),
            *site.secret_files("haproxy", "haproxy_stats_password"),
        ),
        reload=("reload-configuration.sh",),
        stop_seconds=30,
    )
    vrrp = Container(
        name="keepalived",
        service="keepalived",
        image=site.images["haproxy"],
        limit=topology.limits.keepalived,
        network="host",
        user="root",
        # SYS_NICE: for real-time priority (keepalived.conf.j2).
        capabilities=("NET_ADMIN", "NET_RAW", "SETGID", "SETUID", "SYS_NICE"),
        mounts=(
            Mount(keepalived_folder, "/etc/balancer"),
            Mount("/etc/lab/interface.conf", "/etc/lab/interface.conf"),
        ),
        reads=(File(f"{keepalived_folder}/keepalived.conf", keepalived),),
        command=(
            *("keepalived", "--dont-fork", "--log-console", "--vrrp"),
            *("--use-file", "/etc/balancer/keepalived.conf"),
        ),
        stop_signal="SIGTERM",
    )
    return Plan((haproxy, vrrp))
