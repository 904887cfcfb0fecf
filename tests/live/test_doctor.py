"""`fab doctor` names the culprit of each of these faults, and nothing else, within ten seconds.

The table in docs/doctor.md is what this one printed. Most of it is long: only `make test-all` has
every fault by itself; `make test` has the first rows at once, which hide no other's traces.
"""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab.config.modes import MODES, OVERLAY
from lab.config.paths import FOLDER
from lab.doctor.checks import checks, machine
from lab.doctor.checks.data import TABLES
from lab.doctor.checks.facts import LATE, Answer, Page
from lab.doctor.diagnosis import diagnose
from lab.doctor.examine import examine, gather
from lab.engine.ssh import wait_until
from lab.plan.modes import web
from tests.conftest import TOPOLOGY
from tests.live.support import data_faults, faults
from tests.live.support.data_faults import at_primary
from tests.live.support.faults import (
    at_holder,
    at_once,
    blocked,
    changed_file,
    fault,
    killed,
    moved,
    on_the_machine,
    paused,
    stopped,
)

FAB = Path(sys.executable).parent / "fab"
# What the doctor promises, its own start included; what a fault may take to show; to heal.
DOCTOR_SECONDS, SHOWN_SECONDS, HEALED_SECONDS = 10, 60, 150

ALONE = [service for service in TOPOLOGY.web if service.django == service.nginx]
(APART,) = [service for service in TOPOLOGY.web if service.django != service.nginx]
A, B, C, D = ALONE[0].django, ALONE[1].django, APART.django, APART.nginx
NGINX_A, NGINX_B, NGINX_D = (web.name("nginx", s.mode) for s in (*ALONE[:2], APART))
DJANGO_A, DJANGO_B, DJANGO_C = (web.name("django", s.mode) for s in (*ALONE[:2], APART))
BUILDER, REGISTRY = TOPOLOGY.builder, TOPOLOGY.registry
LONG = pytest.mark.long
CERTS = f"/etc/docker/certs.d/{REGISTRY}"
READ_BY_DJANGO = "/etc/lab/secrets/django/mysql_django_password"
FULL = "mount -t tmpfs -o size=16m full /var/tmp; head -c 16M /dev/zero > /var/tmp/full"
FREEZE = 'kill -{} "$(systemctl show --property MainPID --value docker)"'

# What breaks, how, and each check that has to be named with words of its evidence.
# These hide no other's traces.
TOGETHER = [
    ("nginx paused", paused(A, NGINX_A), {f"{A}: container {NGINX_A}": "is paused"}),
    ("Django stopped", killed(B, DJANGO_B), {f"{B}: container {DJANGO_B}": "is exited"}),
    (
        "static files stale",
        moved(D, f"{MODES['separate-hosts'].static_folder}/site.*"),
        {f"{D}: static files": "/static/site."},
    ),
    (
        "registry's authority missing on a node",
        moved(B, f"{CERTS}/ca.crt"),
        {f"{B}: files": "ca.crt is missing"},
    ),
]
DRAINED = ("a server left drained", faults.drained(A), {f"HAProxy admits {A}": "DRAIN on"})
REST = [
    ("nginx stopped", killed(A, NGINX_A), {f"{A}: container {NGINX_A}": "is exited"}),
    ("Django paused", paused(C, DJANGO_C), {f"{C}: container {DJANGO_C}": "is paused"}),
    (
        "a process of Django killed for memory",
        fault(B, f"docker exec {DJANGO_B} python3 -c 'bytearray(2**31)' || true", "true"),
        {
            f"{B}: memory of {DJANGO_B}": "a process of it was killed for memory: its limit is"
            f" {TOPOLOGY.limits.django.memory} MiB"
        },
    ),
    (
        "uWSGI frozen in its container",
        faults.frozen_processes(B, DJANGO_B),
        {f"{B}: uWSGI": "no answer from uWSGI"},
    ),
    (
        "Django slow",
        faults.starved(A, DJANGO_A, TOPOLOGY.limits.django.cpus),
        {f"{A}: uWSGI": "no answer"},
    ),
    (
        "nginx told a wrong address",
        faults.told_wrongly(D, NGINX_D, f"{TOPOLOGY.address(B)}:29000"),
        {f"{D}: address that nginx is told": f"nginx is told {TOPOLOGY.address(B)}:29000"},
    ),
    (
        "nginx told a wrong name",
        faults.told_wrongly(B, NGINX_B, "django-elsewhere:29000"),
        {f"{B}: address that nginx is told": "nginx is told django-elsewhere:29000"},
    ),
    (
        "Django off its network",
        fault(
            B,
            f"docker network disconnect webapp {DJANGO_B}",
            f"docker network connect webapp {DJANGO_B}",
        ),
        {f"{B}: network of {DJANGO_B}": "it is on no network, not on webapp"},
    ),
    (
        "port 29000 blocked for nginx",
        blocked(C, 29000, source=D),
        {f"{C}: port 29000": f"from {D}: no answer within 2 s"},
    ),
    ("port 80 blocked", blocked(A, 80), {f"{A}: port 80": "this machine"}),
    (
        "HAProxy stopped where the address is",
        at_holder(lambda holder, _: killed(holder, "haproxy")),
        {"{found}: container haproxy": "is exited"},
    ),
    (
        "HAProxy stopped on the other balancer",
        at_holder(lambda _, other: killed(other, "haproxy")),
        {"{other}: container haproxy": "is exited"},
    ),
    (
        "HAProxy frozen where the address is",
        at_holder(lambda holder, other: faults.taken_over(paused(holder, "haproxy"), by=other)),
        {"{found}: container haproxy": "is paused"},
    ),
    (
        "keepalived stopped on both",
        at_once(*(killed(b, "keepalived") for b in TOPOLOGY.settings.balancers)),
        {f"{b}: container keepalived": "is exited" for b in TOPOLOGY.settings.balancers},
    ),
    (
        "a balancer's configuration changed",
        changed_file(D, "/etc/lab/haproxy/web.cfg", "sed 's/retries 2/retries 3/'"),
        {f"{D}: files of haproxy": "web.cfg is not as the lab has it"},
    ),
    (
        "MySQL stopped on a replica",
        at_primary(lambda _, replica: stopped(replica, "mysql")),
        {"{other}: container mysql": "is exited"},
    ),
    (
        "MySQL's primary frozen",
        at_primary(lambda primary, _: paused(primary, "mysql")),
        {"{found}: container mysql": "is paused"},
    ),
    (
        "MySQL's disk full on a replica",
        at_primary(lambda _, replica: data_faults.disk_full(replica)),
        {
            "{other}: MySQL's disk": "disk full on {other}'s MySQL volume: ",
            "{other}: small disk of mysql": "lies over MySQL's volume",
        },
    ),
    (
        "replicas lag",
        data_faults.lagging,
        dict.fromkeys(("{found}: replication lag", "{other}: replication lag"), "not applied"),
    ),
    (
        "Django's password changed in MySQL",
        data_faults.mysql_password_changed,
        {"MySQL: account": "Access denied for user 'django'"},
    ),
    (
        "Django's password wrong on one node",
        changed_file(B, READ_BY_DJANGO, "rev", after=f"docker restart {DJANGO_B}"),
        {f"{B}: files of {DJANGO_B}": "mysql_django_password is not as the lab has it"},
    ),
    ("a table missing", data_faults.table_missing, {"MySQL: tables": "no table django_session"}),
    (
        "one Cassandra node stopped",
        stopped(D, "cassandra"),
        {f"{D}: container cassandra": "is exited"},
    ),
    (
        "two Cassandra nodes frozen",
        at_once(paused(B, "cassandra"), paused(D, "cassandra")),
        {f"{node}: container cassandra": "is paused" for node in (B, D)},
    ),
    (
        "Cassandra's port blocked between nodes",
        blocked(C, 7000),
        {f"{C}: port 7000": "no answer within 2 s"},
    ),
    (
        "Django's password changed in Cassandra",
        data_faults.by_cql(
            f"ALTER ROLE django WITH PASSWORD = '{data_faults.WRONG}'",
            "ALTER ROLE django WITH PASSWORD = '{cassandra_django_password}'",
        ),
        {"Cassandra: account": "username django and/or password are incorrect"},
    ),
    (
        "Django may not read the posts",
        data_faults.by_cql(
            "REVOKE SELECT ON KEYSPACE posts_db FROM django",
            "GRANT SELECT ON KEYSPACE posts_db TO django",
        ),
        {"Cassandra: posts": "no SELECT permission"},
    ),
    ("a disk full", fault(D, FULL, "umount /var/tmp"), {f"{D}: disk": "/var/tmp: 0 MiB are free"}),
    ("memory short", partial(faults.memory_short, node=D), {f"{D}: memory": "MiB are free"}),
    (
        "a wrong address in /etc/hosts",
        changed_file(B, "/etc/hosts", f"sed '/ {A} /s/^[0-9.]*/192.0.2.1/'"),
        {f"{B}: names": f"{A} is 192.0.2.1 here"},
    ),
    (
        "firewall flushed",
        fault(A, "iptables -w -t raw -F LAB", "lab-firewall"),
        {f"{A}: firewall": "rules are missing"},
    ),
    (
        "another release on one node",
        changed_file(B, "/etc/lab/release/release", "sed 's/^.*$/20200101-0000-abcdef/'"),
        {f"{B}: release": "pages are of release 20200101-0000-abcdef"},
    ),
    (
        "registry stopped",
        killed(BUILDER, "registry"),
        {f"{BUILDER}: container registry": "is exited"},
    ),
    (
        "registry's certificate expired",
        faults.certificate_expired,
        {"registry: certificate": "the registry's certificate expired on"},
    ),
    (
        "Docker stopped",
        fault(D, "systemctl stop docker.socket docker", "systemctl start docker"),
        {f"{D}: Docker": "docker.service is inactive"},
    ),
    (
        "Docker frozen",
        fault(A, FREEZE.format("STOP"), FREEZE.format("CONT")),
        {f"{A}: Docker": "dockerd is stopped by a signal"},
    ),
    (
        "SSH stopped",
        on_the_machine(
            D,
            ("exec", "{}", "systemctl", "stop", "ssh.socket", "ssh"),
            ("exec", "{}", "systemctl", "start", "ssh"),
        ),
        {f"{D}: SSH": "is running"},
    ),
    (
        "a node frozen",
        on_the_machine(B, ("pause", "{}"), ("unpause", "{}")),
        {f"{B}: SSH": "is paused"},
    ),
    (
        "a node dead",
        on_the_machine(D, ("kill", "{}"), ("start", "{}")),
        {f"{D}: SSH": "is exited"},
    ),
]
ROWS = [pytest.param(TOGETHER, id="four at once"), pytest.param([DRAINED], id=DRAINED[0])]
ROWS += [pytest.param([row], id=row[0], marks=LONG) for row in TOGETHER + REST]


@pytest.fixture(scope="module", autouse=True)
def _a_healthy_lab(running):
    """What ran before may have left the machine too busy for answers in time, too."""
    wait_well(running)


def wait_well(running):
    """Until the doctor finds nothing, asked by its own functions: that starts no other program."""
    wait_until(
        "a doctor that finds nothing",
        lambda: (
            [(one.check, one.evidence) for one in diagnose(examine(running))]
            or data_faults.apart(running)
        ),
        lambda findings: not findings,
        seconds=HEALED_SECONDS,
        advice=lambda _: "fab doctor",
    )


def fab(*arguments):
    """What a task printed on both outputs, its exit status, and the seconds it took."""
    begun = time.monotonic()
    done = subprocess.run(
        (FAB, *arguments), cwd=FOLDER, capture_output=True, text=True, check=False
    )
    return done, time.monotonic() - begun


def findings():
    done, seconds = fab("doctor", "--json")
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == (1 if found else 0), done.stderr
    return found, seconds


def test_on_a_healthy_lab_it_finds_nothing(capsys):
    done, seconds = fab("doctor")
    assert (done.returncode, done.stdout) == (0, "all is well\n")
    assert " checks, all well" in done.stderr
    assert seconds < DOCTOR_SECONDS
    with capsys.disabled():
        print(f"\nhealthy: {done.stderr.strip()} ({seconds:.1f} s)")


def one_late(facts):
    """The facts, each time with another answer that did not come in time."""
    for node, found in facts.nodes.items():
        for question in found.answers:
            answers = {**found.answers, question: Answer(None, "cut off")}
            yield f"{node}: {question}", with_node(facts, node, answers=answers)
        for name, asked in found.inside.items():
            for question in asked:
                inside = {**found.inside, name: {**asked, question: Answer(None)}}
                yield f"{node}: {name}: {question}", with_node(facts, node, inside=inside)
        unlisted = {"docker": Answer(None), "containers": {}, "inside": {}}
        yield f"{node}: Docker", with_node(facts, node, **unlisted)
    for key in facts.pages:
        yield f"page {key}", replace(facts, pages={**facts.pages, key: Page(0, LATE)})


def with_node(facts, node, **changed):
    return replace(facts, nodes={**facts.nodes, node: replace(facts.nodes[node], **changed)})


@pytest.fixture(scope="module")
def facts(running):
    return gather(running)


@pytest.mark.parametrize(
    ("load", "remedy"),
    [(0.5, "run `fab doctor` again; if it says the same: "), (3.0, "wait, and run `fab doctor`")],
    ids=["idle", "busy"],
)
def test_an_answer_that_comes_late_is_told_as_that_and_as_nothing_else(facts, load, remedy):
    """On a busy machine nobody is told to restart or to end anything."""
    facts = replace(facts, load=load, at_once=load)
    assert not diagnose(checks(facts))
    told = {
        late: (finding.check, finding.evidence, finding.remedy)
        for late, changed in one_late(facts)
        for finding in diagnose(checks(changed))
        if LATE not in finding.evidence or not finding.remedy.startswith(remedy)
    }
    assert told == {}


def test_it_leaves_no_connection_open(running):
    """Who waits for a healthy lab asks it again and again, drills for an hour."""
    node = running.nodes[TOPOLOGY.names[0]]

    def connections():
        listed = node.run("ss", "--no-header", "--numeric", "state", "established", "sport = :22")
        return len(listed.splitlines())

    before = connections()
    for _ in range(3):
        examine(running)
    wait_until(
        "no more connections than before",
        connections,
        lambda now: now <= before,
        seconds=HEALED_SECONDS,
        advice=lambda _: "Node.close",
    )


@pytest.mark.parametrize("rows", ROWS)
def test_the_culprits_are_named_and_nothing_else(running, request, capsys, rows):
    expected, names = {}, {}
    try:
        with ExitStack() as broken:
            for _, break_it, culprits in rows:
                names |= broken.enter_context(break_it(running))
                expected |= culprits
            found, seconds = wait_until(
                "a finding of each",
                findings,
                # It says itself that it can't tell while this machine is overloaded.
                lambda seen: len(seen[0]) >= len(expected) and seen[0][0]["check"] != machine.NAME,
                seconds=SHOWN_SECONDS,
                advice=lambda _: "it sees too little wrong",
            )
            named = {one["check"]: one["evidence"] for one in found}
            with capsys.disabled():
                for one in found:
                    print(
                        f"\n| {request.node.callspec.id} | `{one['check']}` | {one['evidence']}"
                        f" | {one['remedy']} | {len(one['not_judged'])} | {seconds:.1f} |"
                    )
            expected = {check.format(**names): words for check, words in expected.items()}
            assert named.keys() == expected.keys(), named
            for check, words in expected.items():
                assert words.format(**names) in named[check]
            assert seconds < DOCTOR_SECONDS
    finally:
        wait_well(running)


@LONG
@pytest.mark.parametrize(
    "wired",
    [("-H", A, "deploy", f"--mode={mode}") for mode in ("unix-socket", "all-in-one")]
    + [("deploy", f"--mode={OVERLAY}")],
    ids=" ".join,
)
def test_it_finds_nothing_in_another_wiring(running, wired):
    try:
        done, _ = fab(*wired)
        assert done.returncode == 0, done.stderr
        wait_well(running)
    finally:
        fab("deploy")
        wait_well(running)


def test_the_tables_that_it_misses_are_those_that_django_makes(running):
    server = data_faults.primary(running)
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'djangodb'"
    assert set(data_faults.sql(running, server, query).split()) == set(TABLES)
