"""Faults of every part of the lab, each a context manager that takes it back, whatever happens.

Each takes the lab and yields the names that it found out, for the test's expectations.
"""

import subprocess
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from lab.drills.faults import OF_NODES, Target
from lab.engine import steps
from lab.engine.ssh import wait_until
from lab.machines import made
from lab.secrets import authority
from lab.secrets.private import write
from tests.conftest import TOPOLOGY


@contextmanager
def running(lab, node, do, undo, **names):
    """Runs one command as root on a node, and another one at the end."""
    lab.nodes[node].run(*_argv(do))
    try:
        yield names
    finally:
        lab.nodes[node].run(*_argv(undo))


def _argv(command):
    return ("bash", "-ec", command) if isinstance(command, str) else command


def fault(node, do, undo):
    return lambda lab: running(lab, node, do, undo)


def stopped(node, name):
    return fault(node, f"docker stop --time 30 {name}", f"docker start {name}")


def killed(node, name):
    """At once: HAProxy would wait for Django's idle connections. Docker restarts none it is told
    to stop."""
    return fault(node, f"docker stop --time 0 {name}", f"docker start {name}")


def paused(node, name):
    return fault(node, f"docker pause {name}", f"docker unpause {name}")


@contextmanager
def both(lab, *faults):
    with faults[0](lab), faults[1](lab):
        yield {}


def at_once(*faults):
    return lambda lab: both(lab, *faults)


def frozen_processes(node, name):
    """All of a container's but the first, which Docker watches."""
    signal = f"docker exec {name} bash -c 'kill -{{}} -1'"
    return fault(node, signal.format("STOP"), signal.format("CONT"))


def starved(node, name, cpus):
    """A container gets a hundredth of a core instead of its share, and programs in it that never
    rest take most of that."""
    restless = "while :; do :; done"
    begin = f"docker exec --detach {name} bash -c '{restless}'"
    return fault(
        node,
        f"for i in 1 2 3; do {begin}; done; docker update --cpus 0.01 {name}",
        f"docker update --cpus {cpus} {name}; pkill --full '^bash -c {restless}'",
    )


def blocked(node, port, *, source=""):
    """Connections to a port from other machines get no answer."""
    only = f"-s {TOPOLOGY.address(source)}" if source else ""
    rule = f"PREROUTING ! -i lo -p tcp --syn --dport {port} {only} -j DROP"
    return fault(node, f"iptables -w -t raw -I {rule}", f"iptables -w -t raw -D {rule}")


def changed_file(node, path, change, *, after="true"):
    """In place: a container sees the file itself. change: a filter; after: a command."""
    kept = f"/run/lab/kept-by-a-test{path.replace('/', '-')}"
    return fault(
        node,
        f"mkdir -p /run/lab; cp -p '{path}' '{kept}'; {change} < '{kept}' > '{path}'; {after}",
        f"cat '{kept}' > '{path}'; rm '{kept}'; {after}",
    )


def moved(node, *paths):
    away = "/var/tmp/moved-by-a-test"
    return fault(
        node,
        f"mkdir -p {away}; mv {' '.join(paths)} {away}/",
        f"mv {away}/* '{paths[0].rsplit('/', 1)[0]}/'; rmdir {away}",
    )


def told_wrongly(node, name, uwsgi):
    """nginx is started again with another UWSGI_URI than its Django's."""

    @contextmanager
    def act(lab):
        plan = lab.plan(lab.current_release(), node)
        (record,) = (one for one in plan.containers if one.name == name)
        wrong = {**dict(record.environment), "UWSGI_URI": uwsgi}
        start(lab, node, replace(record, environment=tuple(wrong.items())))
        try:
            yield {}
        finally:
            start(lab, node, record)

    return act


def start(lab, node, record):
    lab.nodes[node].run("docker", "rm", "--force", record.name)
    lab.nodes[node].run(*steps.run(record))


def drained(name):
    """As a deployment that was killed leaves it."""
    command = (
        'docker exec haproxy bash -c "socat - UNIX-CONNECT:/run/haproxy/admin.sock'
        f" <<< 'set server nginx/{name} state {{}}'\""
    )
    return at_once(
        *(
            fault(balancer, command.format("drain"), command.format("ready"))
            for balancer in TOPOLOGY.settings.balancers
        )
    )


def holder(lab):
    for balancer in TOPOLOGY.settings.balancers:
        asked = ("ip", "-o", "-4", "address", "show", "to", TOPOLOGY.virtual_address)
        if lab.nodes[balancer].run(*asked).strip():
            return balancer
    raise AssertionError("nobody holds the virtual address")


def at(find, of, make):
    """A fault of the node that has (or, the next of its kind, has not) a role just now."""

    @contextmanager
    def act(lab):
        found = find(lab)
        other = next(name for name in of if name != found)
        with make(found, other)(lab):
            yield {"found": found, "other": other}

    return act


def at_holder(make):
    return at(holder, TOPOLOGY.settings.balancers, make)


def taken_over(fault, by):
    """The fault, once the other balancer has the virtual address: until then whoever is connected
    through the first one is cut off, and each of them has something to tell."""

    @contextmanager
    def act(lab):
        with fault(lab) as names:
            command = ("ip", "-o", "-4", "address", "show", "to", TOPOLOGY.virtual_address)
            wait_until(
                f"the virtual address on {by}",
                lambda: lab.nodes[by].run(*command).strip(),
                bool,
                seconds=30,
                advice=lambda _: "fab logs --service=keepalived",
            )
            yield names

    return act


def memory_short(lab, node):
    target = Target(node)
    ((do,), (undo,)) = (make(target) for make in OF_NODES["memory-short"][1:])
    return running(lab, node, do.argv, undo.argv)


@contextmanager
def certificate_expired(lab):
    """As if ten years had gone by: the lab's own copy, and so the registry's, has expired."""
    valid = lab.secrets["registry.crt"]
    # One for each set of addresses that this folder has had a lab on.
    issued = authority.AUTHORITY.glob("registry-*.crt")
    path = next(path for path in issued if path.read_text() == valid)
    try:
        serve(lab, path, expired(valid))
        yield {}
    finally:
        serve(lab, path, valid)


def serve(lab, path, pem):
    write(path, pem)
    plan = lab.plan(lab.current_release(), lab.builder.name)
    (file,) = (file for file in plan.all_files if file.path.endswith("/registry.crt"))
    lab.builder.put((replace(file, content=pem),))
    lab.builder.run("docker", "restart", "registry")


def expired(pem):
    old = x509.load_pem_x509_certificate(pem.encode())
    key = serialization.load_pem_private_key((authority.AUTHORITY / "ca.key").read_bytes(), None)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        old.issuer,
        old.subject,
        old.public_key(),
        old.serial_number,
        now - timedelta(days=9),
        now - timedelta(days=1),
        list(old.extensions),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def on_the_machine(node, do, undo):
    """Of a node as a container of this machine, for what its SSH would not outlive."""

    @contextmanager
    def act(lab):
        name = made.load(TOPOLOGY.name).container(node)
        subprocess.run(("docker", *(part.format(name) for part in do)), check=True)
        try:
            yield {}
        finally:
            subprocess.run(("docker", *(part.format(name) for part in undo)), check=True)
            lab.reconnect()

    return act
