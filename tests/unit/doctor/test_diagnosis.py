"""Which failing check is the culprit; and what single answers are taken for."""

import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.balancers.haproxy import Server
from lab.config.modes import of_one_node
from lab.config.paths import FOLDER
from lab.doctor.checks import (
    balancers,
    checks,
    containers,
    data,
    disks,
    links,
    machine,
    nodes,
    questions,
    registry,
)
from lab.doctor.checks import web as checks_of_web
from lab.doctor.checks.facts import LATE, Answer, Examined, Facts, InspectedContainer, examined
from lab.doctor.diagnosis import (
    Check,
    Failure,
    Finding,
    as_json,
    confirmed,
    diagnose,
    each,
    report,
    some,
)
from lab.engine.ssh import RemoteError, wait_until
from lab.plan import plans
from lab.plan.site import Site
from lab.release.images import IMAGES, references
from lab.release.releases import Release
from tests.unit.delivered import LAB

FAILURE = Failure("seen", "do")


def chain(*failing):
    """A browser's way to a page: two servers of which one is enough, each on a node of its own."""
    checks = (
        Check("site", None, (each("address"), some(("one", "two")))),
        Check("address", None),
        Check("one", None, (each("node 1"),)),
        Check("two", None, (each("node 2", "disk 2"),)),
        Check("node 1", None),
        Check("disk 2", None, (each("node 2"),)),
        Check("node 2", None),
    )
    return tuple(replace(c, failure=FAILURE if c.name in failing else None) for c in checks)


@pytest.mark.parametrize(
    ("failing", "culprits"),
    [
        ((), {}),
        (("site",), {"site": ()}),
        (("address", "site"), {"address": ("site",)}),
        (("one",), {"one": ()}),
        # One server is enough for the site: whatever it fails for, it is not that.
        (("one", "site"), {"site": (), "one": ()}),
        (("one", "two", "site"), {"one": ("site",), "two": ("site",)}),
        (("node 2", "disk 2", "two"), {"node 2": ("two", "disk 2")}),
        (("disk 2", "two"), {"disk 2": ("two",)}),
        # What lies between passes: the far end does not excuse.
        (("node 2", "two"), {"node 2": ("two",)}),
        (
            ("node 1", "one", "node 2", "two", "site"),
            {"node 1": ("site", "one"), "node 2": ("site", "two")},
        ),
    ],
    ids=lambda value: "+".join(value) or "none",
)
def test_the_culprit_is_the_failing_check_whose_own_needs_are_met(failing, culprits):
    findings = diagnose(chain(*failing))
    assert {finding.check: finding.hidden for finding in findings} == culprits


@pytest.mark.parametrize(
    ("checks", "mistake"),
    [
        ((Check("a", None, (each("b"),)),), "a needs what nobody checks"),
        ((Check("a", None), Check("a", None)), "checked twice"),
        ((Check("a", None, (each("b"),)), Check("b", None, (each("a"),))), "cycle"),
    ],
    ids=["unknown", "twice", "circle"],
)
def test_checks_that_contradict_each_other_are_refused(checks, mistake):
    with pytest.raises(ValueError, match=mistake):
        diagnose(checks)


@pytest.mark.parametrize(
    ("first", "second", "culprits"),
    [
        (("one",), ("one",), ["one"]),
        # What only came late the first time, or only the second time, is well.
        (("one",), (), []),
        ((), ("one",), []),
        (("one", "node 2"), ("node 2", "two"), ["node 2"]),
        (("one", "node 1"), ("one",), ["one"]),
    ],
)
def test_on_a_second_look_only_that_fails_which_did_at_the_first(first, second, culprits):
    found = diagnose(confirmed(chain(*first), chain(*second)))
    assert [finding.check for finding in found] == culprits


def test_the_report_says_what_fails_the_evidence_and_the_remedy():
    findings = (Finding("ubuntu1: disk", "/: 3 MiB are free", "remove", ("the site", "MySQL")),)
    assert report(findings).splitlines() == [
        "ubuntu1: disk",
        "  seen    /: 3 MiB are free",
        "  remedy  remove",
        "  not judged because of it: 2 more that fail",
    ]
    assert as_json(chain(), findings) == {
        "checks": 7,
        "findings": [
            {
                "check": "ubuntu1: disk",
                "evidence": "/: 3 MiB are free",
                "remedy": "remove",
                "not_judged": ["the site", "MySQL"],
            }
        ],
    }


DF = "Mounted on      Avail Use% IUse%\n/               62146  34%    6%\n/run            {}\n"


@pytest.mark.parametrize(
    ("row", "evidence"),
    [
        ("12053   1%    1%", None),
        ("255   99%    1%", "/run: 255 MiB are free"),
        ("12053   1%    99%", "/run: 99% of its inodes are used"),
        ("12053   1%    -", None),
    ],
)
def test_a_full_disk(row, evidence):
    assert seen(nodes.disk("ubuntu1", Answer(0, DF.format(row)))) == evidence


VOLUME = "/var/lib/docker/volumes/{}_data/_data"
DISKS = "File Mounted on 1M-blocks Avail\n{} {}\n{} {}\n"
SMALL = "a drill's small disk, in memory, lies over {}'s volume"


@pytest.mark.parametrize(
    ("service", "where", "room", "full", "small"),
    [
        ("mysql", "/var/lib/docker", "62146 128", None, None),
        (
            "mysql",
            "/var/lib/docker",
            "62146 127",
            "disk full on ubuntu2's MySQL volume: 127 MiB of 62146 MiB are free, and it needs 128",
            None,
        ),
        ("mysql", VOLUME.format("mysql"), "480 250", None, SMALL.format("MySQL")),
        (
            "mysql",
            VOLUME.format("mysql"),
            "480 0",
            "disk full on ubuntu2's MySQL volume: 0 MiB of 480 MiB are free, and it needs 128",
            SMALL.format("MySQL"),
        ),
        ("cassandra", "/var/lib/docker", "62146 128", None, None),
        (
            "cassandra",
            VOLUME.format("cassandra"),
            "300 99",
            "disk full on ubuntu2's Cassandra volume: 99 MiB of 300 MiB are free, and it needs 128",
            SMALL.format("Cassandra"),
        ),
    ],
)
def test_the_disk_of_a_database(service, where, room, full, small):
    (other,) = {"mysql", "cassandra"} - {service}
    rows = (VOLUME.format(other), "/ 62146 0", VOLUME.format(service), f"{where} {room}")
    asked = facts({"ubuntu2": {"volumes": (0, DISKS.format(*rows), "")}})
    assert seen(disks.full(asked, "ubuntu2", service)) == full
    assert seen(disks.small_disk(asked, "ubuntu2", service)) == small


def test_the_disk_of_a_database_that_nobody_could_ask_for_is_no_culprit():
    asked = facts({"ubuntu2": {"volumes": (1, "", "df: No such file or directory")}})
    for node in ("ubuntu1", "ubuntu2"):
        assert disks.full(asked, node, "mysql") is None
        assert disks.small_disk(asked, node, "mysql") is None


def test_mysqld_starts_with_as_much_room_as_the_doctor_says():
    sys.path.append(str(FOLDER / "images/mysql"))
    from group_agent import room  # noqa: PLC0415 - it is no part of the lab's own packages

    assert disks.NEEDED["mysql"][1] == room.ROOM


@pytest.mark.parametrize("service", ["MySQL", "Cassandra"])
def test_a_database_whose_disk_is_full_is_explained_by_it(service):
    authority = certificate(NOW, NOW + timedelta(days=1))
    found = checks(replace(facts({}), authority=authority, now=NOW.timestamp()))
    needs = {one.name: {name for need in one.needs for name in need.checks} for one in found}
    assert f"ubuntu2: {service}'s disk" in needs[f"ubuntu2: {service}"]
    # It may not even listen: nothing is started until there is room.
    assert "ubuntu2: MySQL's disk" in needs["ubuntu2: port 33061"]
    # A server on a drill's small disk is judged nevertheless.
    assert not any("small disk" in name for names in needs.values() for name in names)


CGROUP = "{}\n{}\ninactive_file 4096\ntotal_inactive_file {}\nMemTotal: 24000000 kB\n"
GIB, MIB = 2**30, 2**20


@pytest.mark.parametrize(
    ("limit", "usage", "cache", "machine_free", "evidence"),
    [
        (4 * GIB, 3 * GIB, 0, 9_000_000, None),
        (4 * GIB, 4 * GIB - 100 * MIB, 0, 9_000_000, "100 MiB of 4096 MiB are free"),
        (4 * GIB, 4 * GIB - 100 * MIB, GIB, 9_000_000, None),
        # No limit: 2**63 less a page is how the kernel says it.
        (2**63 - 4096, 4 * GIB, 0, 9_000_000, None),
        (2**63 - 4096, 4 * GIB, 0, 900_000, "878 MiB of 23437 MiB are free"),
        ("max", 4 * GIB, 0, 900_000, "878 MiB of 23437 MiB are free"),
        # The machine's own memory is short before the node's limit is reached.
        (4 * GIB, GIB, 0, 102_400, "100 MiB of 4096 MiB are free"),
    ],
)
def test_short_memory(limit, usage, cache, machine_free, evidence):
    text = CGROUP.format(limit, usage, cache) + f"MemAvailable: {machine_free} kB\n"
    assert seen(nodes.memory("ubuntu1", Answer(2, text))) == evidence


@pytest.mark.parametrize(
    ("ahead", "evidence"),
    [
        (0.9, None),
        (-0.9, None),
        (61.5, "61.5 s ahead of this machine's"),
        (-3.0, "3.0 s behind this machine's"),
    ],
)
def test_a_clock_that_differs(ahead, evidence):
    assert seen(nodes.clock("ubuntu1", ahead)) == evidence


@pytest.mark.parametrize(
    ("told", "ahead"),
    [(1000.0, 0.0), (1002.0, 0.0), (1004.0, 0.0), (1064.0, 60.0), (940.0, -60.0)],
)
def test_a_node_s_clock_is_within_what_the_asking_took(told, ahead):
    """Asked at 1000 and answered at 1004, here: whatever it said between is right."""
    answers = {"time": told, "docker": [0, "", ""], "containers": [], "answers": {}, "inside": []}
    assert examined(answers, 1000.0, 1004.0).ahead == ahead


@pytest.mark.parametrize(
    ("gtids", "count"),
    [
        ("", 0),
        ("3f9e090c-7c2c-562b-8f8d-ae9bee67f506:66", 1),
        ("3f9e090c-7c2c-562b-8f8d-ae9bee67f506:1-65", 65),
        (
            "3f9e090c-7c2c-562b-8f8d-ae9bee67f506:1-5:7:9-10,3f9e090c-7c2c-562b-8f8d-ae9bee67f507:3",
            9,
        ),
    ],
)
def test_how_many_transactions_a_set_holds(gtids, count):
    assert data.transactions(gtids) == count


def test_what_iptables_shows_of_the_firewall_s_file():
    text = "3306,9042 10.0.0.1,10.0.0.2 tcp\n7946 10.0.0.1 udp\n"
    assert nodes.rules(text) == [
        "-A LAB -s 10.0.0.1/32 -p tcp -m multiport --dports 3306,9042 -j RETURN",
        "-A LAB -s 10.0.0.2/32 -p tcp -m multiport --dports 3306,9042 -j RETURN",
        "-A LAB -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m multiport --dports 3306,9042"
        " -j DROP",
        "-A LAB -s 10.0.0.1/32 -p udp -m multiport --dports 7946 -j RETURN",
        "-A LAB -p udp -m multiport --dports 7946 -j DROP",
    ]


def test_haproxy_s_states_are_read_by_proxy_and_server():
    text = "# pxname,svname,status,\nnginx,ubuntu1,DRAIN,\nnginx,BACKEND,UP,\n\n"
    found = balancers.states(text)
    assert found["nginx", "ubuntu1"]["status"] == "DRAIN"
    assert balancers.states("") == {}


@pytest.mark.parametrize(
    ("why", "state", "evidence", "remedy"),
    [
        (
            "ubuntu2: no answer over SSH (Error reading SSH protocol banner)",
            "paused",
            "; its container lab-ubuntu2 is paused",
            "docker unpause lab-ubuntu2",
        ),
        ("timed out", "exited", "timed out; its container lab-ubuntu2 is exited", "vagrant up"),
        (
            "ubuntu2: no answer over SSH (Error reading SSH protocol banner)",
            "running",
            "no answer in time over SSH (ubuntu2: no answer over SSH (Error reading SSH protocol"
            " banner)); its container lab-ubuntu2 is running",
            "docker exec lab-ubuntu2 systemctl restart ssh",
        ),
        ("refused", "running", "is running", "docker exec lab-ubuntu2 systemctl restart ssh"),
        ("timed out", "", "timed out", "vagrant up ubuntu2"),
        ("sudo: lab-doctor: command not found", "running", "earlier version", "fab up"),
    ],
    ids=["paused", "ended", "late", "no sshd", "virtual machine", "old provisioning"],
)
def test_a_node_that_does_not_answer(why, state, evidence, remedy):
    failure = nodes.no_answer("ubuntu2", why, "lab-ubuntu2" if state else "", state)
    assert evidence in failure.evidence
    assert failure.remedy.startswith(remedy)


NOW = datetime(2026, 1, 1, tzinfo=UTC)
RELEASE = Release(name="20261124-0815-abcdef", time="", tags=dict.fromkeys(IMAGES, "1"))


class Anything(dict):
    def __missing__(self, name):
        return name


SITE = Site(LAB, references(LAB.registry, RELEASE.tags), Anything(), RELEASE.name)
PLANS = {node: plans.plan(SITE, node) for node in LAB.names}


# The questions that are asked inside a container that has its service's name.
INSIDE = {"mysql": "mysql", "account": "mysql", "java": "cassandra", "servers": "haproxy"}


def facts(answers, load=0.5):
    """Of a node, what it is asked is answered so; of all else nothing is known."""
    found = {}
    for node, asked in answers.items():
        inside = {}
        for name in asked.keys() & INSIDE.keys():
            inside.setdefault(INSIDE[name], {})[name] = Answer(*asked[name])
        own = {name: Answer(*asked[name]) for name in asked.keys() - INSIDE.keys()}
        found[node] = Examined(0.0, Answer(0), {}, own, inside)
    for node in LAB.names:
        found.setdefault(node, Failure("not asked", ""))
    return Facts(LAB, RELEASE, PLANS, found, {}, "", 0.0, load)


@pytest.mark.parametrize(
    ("asked", "step", "evidence"),
    [
        ({"a": ["", ""], "b": ["", ""]}, "login", ""),
        ({"a": ["login", "bad password"], "b": ["login", "bad password"]}, "login", "bad password"),
        # Another node serves: so would it the application.
        ({"a": ["read", "no answer within 3 s"], "b": ["", ""]}, "read", ""),
        ({"a": ["connect", "refused"], "b": ["read", "no permission"]}, "read", "no permission"),
        ({"a": ["connect", "refused"], "b": ["connect", "refused"]}, "read", ""),
    ],
)
def test_cassandra_is_well_if_any_node_does_what_it_is_asked(asked, step, evidence):
    found = facts({"ubuntu1": {"cassandra": (0, json.dumps(asked), "")}})
    assert evidence in data.asked(found, step)
    assert bool(data.asked(found, step)) == bool(evidence)


@pytest.mark.parametrize(
    ("state", "evidence"),
    [
        ({"state": "ONLINE", "held": False}, None),
        ({"state": "RECOVERING", "held": False}, "it is RECOVERING in the group"),
        ({"state": "ONLINE", "held": True}, "the others do not confirm its role"),
        ("", "its role endpoint (port 9200): Connection refused"),
    ],
)
def test_a_mysql_server_is_judged_by_its_place_in_the_group(state, evidence):
    told = (0, json.dumps(state), "") if state else (7, "", "curl: (7)\nConnection refused")
    failure = data.member(facts({"ubuntu2": {"group": told}}), "ubuntu2")
    assert (evidence in failure.evidence) if evidence else (failure is None)


def test_only_what_came_late_is_excused_and_only_by_an_overloaded_machine():
    late = Check("late", Failure(f"/ready: {LATE}", "reload it"))
    wrong = Check("wrong", Failure("HTTP 500", "mend it"))
    overloaded, busy, idle = facts({}, load=20.0), facts({}, load=3.0), facts({}, load=1.0)

    def culprits(*checks):
        return [(finding.check, finding.remedy) for finding in diagnose(checks)]

    assert culprits(*machine.excuse(overloaded, (late, wrong))) == [
        ("this machine", "end what else runs on it (`top`), and run `fab doctor` again"),
        ("wrong", "mend it"),
    ]
    assert culprits(*machine.excuse(busy, (late, wrong))) == [
        ("late", "wait, and run `fab doctor` again"),
        ("wrong", "mend it"),
    ]
    assert culprits(*machine.excuse(idle, (late, wrong))) == [
        ("late", "run `fab doctor` again; if it says the same: reload it"),
        ("wrong", "mend it"),
    ]
    assert culprits(*machine.excuse(overloaded, (wrong,))) == [("wrong", "mend it")]
    # A moment's peak may make answers late, and overloads nothing.
    assert culprits(*machine.excuse(replace(idle, slowness=4.0), (late,))) == [
        ("late", "wait, and run `fab doctor` again")
    ]
    (found,) = (check for check in machine.excuse(busy, (late,)) if check.failure)
    assert found.failure.evidence == (
        "/ready: no answer in time; 3 processes for each processor want to run, and each takes 1.0"
        " times as long as it works"
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(None, "", "part of an answer"), "no answer in time"),
        (Answer(124), "no answer in time"),
        (
            Answer(28, "000", "curl: (28) Operation timed out after 3001 milliseconds"),
            "no answer in time (curl: (28) Operation timed out after 3001 milliseconds)",
        ),
        (Answer(1, "", "TimeoutError: timed out"), "no answer in time (TimeoutError: timed out)"),
        (
            Answer(1, "", "ERROR 2003 (HY000): Can't connect to MySQL server on 'a:3306' (110)"),
            "no answer in time (ERROR 2003 (HY000): Can't connect to MySQL server on 'a:3306'"
            " (110))",
        ),
        (
            Answer(7, "", "curl: (7) Failed to connect: Connection refused"),
            "curl: (7) Failed to connect: Connection refused",
        ),
        (Answer(3), "it ended with 3 and said nothing"),
    ],
)
def test_what_came_too_late_says_so_however_a_program_says_it(answer, said):
    assert answer.said == said


@pytest.mark.parametrize(
    ("rows", "load", "evidence"),
    [
        ("behind\t\napplied\t\n", 0.5, None),
        ("behind\t\napplied\t3f9e-1:1-5\n", 0.5, None),
        (
            "behind\t3f9e-1:6-8\napplied\t\n",
            0.5,
            "3 transactions that it received 2 s ago are not applied, and none was meanwhile",
        ),
        # It applies, one after another: nothing holds its tables.
        (
            "behind\t3f9e-1:6-8\napplied\t3f9e-1:1-5\n",
            0.5,
            "no answer in time: 3 transactions that it received 2 s ago are not applied yet, 5 were"
            " meanwhile",
        ),
        (
            "behind\t3f9e-1:6-8\napplied\t\n",
            4.0,
            "no answer in time: 3 transactions that it received 2 s ago are not applied yet, 0 were"
            " meanwhile",
        ),
    ],
)
def test_a_replica_that_is_late_is_none_that_is_held(rows, load, evidence):
    found = facts({"ubuntu2": {"mysql": (0, rows, "")}}, load=load)
    failure = data._lag(found, "ubuntu2")
    assert seen(failure) == evidence
    assert failure is None or ("end what" in failure.remedy) == (LATE not in failure.evidence)


PLANNED = next(c for c in PLANS["ubuntu1"].containers if c.name == "mysql")


@pytest.mark.parametrize(
    ("found", "evidence", "remedy"),
    [
        ({}, None, ""),
        (None, "is absent", "fab up"),
        ({"state": "paused"}, "is paused", "sudo docker unpause mysql"),
        ({"state": "restarting", "exit_code": 3}, "last with 3", "fab -H ubuntu1 logs"),
        ({"state": "exited", "exit_code": 137}, "it ended with 137", "sudo docker start mysql"),
        (
            {"state": "exited", "exit_code": 137, "killed": True, "memory": 48},
            "is exited: it was killed for memory: its limit is 48 MiB",
            "raise limits.mysql.memory in lab.yml, then `make up`",
        ),
        (
            {"state": "restarting", "exit_code": 137, "killed": True, "memory": 48},
            "is restarting: it was killed for memory: its limit is 48 MiB",
            "raise limits.mysql.memory in lab.yml, then `make up`",
        ),
        # Its flag of the time before it was started again.
        ({"killed": True}, None, ""),
        ({"digest": "older"}, "is not as lab.yml and the release say", "fab up"),
        # What a container does is asked of itself: Docker's opinion comes late.
        ({"health": "unhealthy"}, None, ""),
    ],
)
def test_a_container_has_to_run_as_planned(found, evidence, remedy):
    as_planned = InspectedContainer("mysql", "mysql", "", "running", PLANNED.digest)
    one = None if found is None else replace(as_planned, **found)
    failure = containers.state("ubuntu1", PLANNED, one, release=True)
    assert (evidence in failure.evidence) if evidence else (failure is None)
    assert failure is None or remedy in failure.remedy


STARTED = 1_700_000_000_000_000_000
DJANGO = next(c for c in PLANS["ubuntu1"].containers if c.service == "django")


@pytest.mark.parametrize(
    ("rows", "evidence"),
    [
        ("", None),
        (
            f"{STARTED + 5} 67f1 1\n",
            "a process of it was killed for memory: its limit is 48 MiB",
        ),
        (
            f"{STARTED + 5} 67f1 2\n{STARTED + 9} 67f1 2\n",
            "2 processes of it were killed for memory: its limit is 48 MiB",
        ),
        # Its first process, which Docker started again.
        (f"{STARTED - 5} 67f1 0\n", "a process of it was killed for memory: its limit is 48 MiB"),
        # The node's whole memory ran out: cgroup v1 tells each container on it.
        (f"{STARTED + 5} 67f1 0\n", None),
        (f"{STARTED + 5} another 1\n", None),
    ],
)
def test_a_process_that_was_killed_for_memory_in_a_container_that_runs(rows, evidence):
    one = InspectedContainer(
        DJANGO.name, "django", "", "running", id="67f1", started=STARTED, memory=48
    )
    found = facts({"ubuntu1": {"killed": (0, rows, "")}})
    node = replace(found.nodes["ubuntu1"], containers={one.name: one})
    found = replace(found, nodes={**found.nodes, "ubuntu1": node})
    failure = containers.short(found, "ubuntu1", DJANGO)
    assert seen(failure) == evidence
    remedy = "raise limits.django.memory in lab.yml, then `fab deploy`"
    assert failure is None or failure.remedy == remedy


def test_java_that_ran_out_of_its_own_memory():
    planned = next(c for c in PLANS["ubuntu1"].containers if c.name == "cassandra")
    one = InspectedContainer("cassandra", "cassandra", "", "running", memory=768)
    found = facts({"ubuntu1": {"java": (0, "java.lang.OutOfMemoryError: Java heap space\n", "")}})
    node = replace(found.nodes["ubuntu1"], containers={one.name: one})
    failure = containers.short(replace(found, nodes={"ubuntu1": node}), "ubuntu1", planned)
    assert failure.evidence == (
        "Java ran out of its own memory (Java heap space), with 768 MiB for the container"
    )
    assert failure.remedy.startswith("raise CASSANDRA_HEAP in ")


def test_docker_s_times_are_read_to_the_nanosecond():
    inspected = {
        "Id": "67f1",
        "Name": "/mysql",
        "Config": {"Labels": {"lab.service": "mysql"}, "Env": []},
        "State": {
            "Status": "running",
            "OOMKilled": False,
            "ExitCode": 0,
            "StartedAt": "2023-11-14T22:13:20.00000012Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": {
                "Status": "unhealthy",
                "Log": [{"Output": "Health check exceeded timeout (3s)"}],
            },
        },
        "HostConfig": {"Memory": 50331648},
        "NetworkSettings": {"Networks": {}},
    }
    told = {
        "time": 0,
        "docker": [0, "", ""],
        "containers": [inspected],
        "answers": {},
        "inside": [],
    }
    one = examined(told, 0.0, 0.0).containers["mysql"]
    assert (one.id, one.started, one.memory) == ("67f1", STARTED + 120, 48)
    assert one.health_said == "no answer in time (Health check exceeded timeout (3s))"


@pytest.mark.parametrize(
    ("status", "evidence"),
    [
        ("UP", None),
        ("UP 1/2", None),
        ("DOWN", None),
        ("DRAIN", "no new request goes to ubuntu1: it is DRAIN on ubuntu3"),
        ("MAINT", "no new request goes to ubuntu1: it is MAINT on ubuntu3"),
    ],
)
def test_a_server_that_was_left_drained(status, evidence):
    servers = {"ubuntu3": {("nginx", "ubuntu1"): {"status": status}}, "ubuntu4": {}}
    assert seen(balancers.admitted("ubuntu1", servers).failure) == evidence


@pytest.mark.parametrize(
    ("held", "evidence"),
    [
        ((Answer(0, "inet 192.168.56.10/32"), Answer(0)), None),
        ((Answer(0), Answer(0)), "192.168.56.10 is held by no balancer"),
        ((Answer(None), Answer(0)), "no answer in time"),
        # The other one holds it, whatever this one would have said.
        ((Answer(None), Answer(0, "inet 192.168.56.10/32")), None),
    ],
)
def test_the_virtual_address_is_looked_for_where_balancers_answer(held, evidence):
    found = facts({"ubuntu3": {}, "ubuntu4": {}})
    asked = {
        node: replace(found.nodes[node], answers={"held": answer})
        for node, answer in zip(("ubuntu3", "ubuntu4"), held, strict=True)
    }
    assert (
        seen(balancers.address(replace(found, nodes={**found.nodes, **asked})).failure) == evidence
    )


def test_a_slow_django_explains_what_its_nginx_answers_late():
    found = facts({})
    behind = each("HAProxy admits ubuntu4", *WAY_TO_UBUNTU3)
    assert behind in balancers._server(found, "ubuntu3", "ubuntu4", {}).needs
    service = next(one for one in LAB.web if one.nginx == "ubuntu4")
    for check in checks_of_web.pages(found, checks_of_web.Names(found, service)):
        assert each(*WAY_TO_UBUNTU3) in check.needs


@pytest.mark.parametrize(
    ("answer", "blamed"),
    [
        # Whatever it waits for, it says nothing of MySQL.
        (Answer(None), True),
        (Answer(0, 'HTTP/1.1 503\n{"checks": {"mysql_write": "down"}}'), False),
    ],
)
def test_a_ready_that_never_comes_may_be_for_any_database(answer, blamed):
    ubuntu3 = Examined(0.0, Answer(0), {}, {}, {"django-separate-hosts-1": {"django": answer}})
    found = facts({})
    found = replace(found, nodes={**found.nodes, "ubuntu3": ubuntu3})
    service = next(one for one in LAB.web if one.django == "ubuntu3")
    asked = {c.name: c for c in checks_of_web.django(found, checks_of_web.Names(found, service))}
    needs = asked["ubuntu3: Django to MySQL (write)"].needs
    assert (each("Cassandra: account", "Cassandra: posts") in needs) == blamed


WAY_TO_UBUNTU3 = ("ubuntu4: port 80", "ubuntu4: nginx to Django", "ubuntu3: Django")


def test_a_restore_that_did_not_end_explains_why_servers_are_drained():
    answer = (0, "20261125-101500\n")
    check = balancers.restores(facts({LAB.builder: {"restore": answer}}))
    assert seen(check.failure) == (
        "a restore of backup 20261125-101500 began and did not end: the data are not all there"
    )
    nothing = (1, "", "cat: /var/lib/lab/restoring: No such file or directory")
    assert balancers.restores(facts({LAB.builder: {"restore": nothing}})).failure is None
    assert each(check.name) in balancers.admitted("ubuntu1", {}).needs


@pytest.mark.parametrize(
    ("status", "blamed"),
    [
        ({"ubuntu3": "UP", "ubuntu4": "UP 1/2"}, True),
        ({"ubuntu3": "DOWN 1/2", "ubuntu4": "UP"}, True),
        ({"ubuntu3": "DOWN", "ubuntu4": "DOWN"}, False),
        ({}, False),
    ],
)
def test_the_site_may_fail_for_a_server_that_haproxy_still_trusts(status, blamed):
    servers = {
        node: {("nginx", "ubuntu1"): {"status": status[node]}} if node in status else {}
        for node in ("ubuntu3", "ubuntu4")
    }
    needs = {name for need in balancers.site(facts({}), servers).needs for name in need.checks}
    assert ("ubuntu1: nginx to Django" in needs) is blamed
    assert ("ubuntu1: port 80" in needs) is blamed


def test_a_port_is_blocked_for_those_who_did_not_get_through():
    """Nodes that could not be asked, or reached it, are not named."""
    answers = {
        "ubuntu1": {"reach": (0, "192.168.56.13:7000 no answer within 2 s\n", "")},
        "ubuntu2": {"reach": (0, "192.168.56.14:7000 Connection refused\n", "")},
    }
    ports = {check.name: seen(check.failure) for check in links.checks(facts(answers))}
    assert ports["ubuntu3: port 7000"] == ("192.168.56.13:7000 from ubuntu1: no answer within 2 s")
    assert ports["ubuntu4: port 7000"] == "192.168.56.14:7000 from ubuntu2: Connection refused"
    assert ports["ubuntu2: port 7000"] is None


PRIMARY = '{"state": "ONLINE", "role": "PRIMARY", "held": false}'


@pytest.mark.parametrize(
    ("check", "container"),
    [
        ("MySQL: account", "ubuntu2: container mysql"),
        ("MySQL: tables", "ubuntu2: container mysql"),
        ("ubuntu3: replication lag", "ubuntu3: container mysql"),
        ("ubuntu4: HAProxy's frontends", "ubuntu4: container haproxy"),
        ("ubuntu1: uWSGI", "ubuntu1: container django-default-bridge-1"),
    ],
)
def test_what_is_asked_inside_a_container_needs_it(check, container):
    """A frozen Docker lets nobody in, while the programs inside still answer from outside."""
    authority = certificate(NOW, NOW + timedelta(days=1))
    primary = {"ubuntu2": {"group": (0, PRIMARY, "")}}
    found = replace(facts(primary), authority=authority, now=NOW.timestamp())
    (needs,) = [one.needs for one in checks(found) if one.name == check]
    assert container in {name for need in needs for name in need.checks}


def test_the_databases_own_checks_are_these():
    authority = certificate(NOW, NOW + timedelta(days=1))
    found = replace(facts({}), authority=authority, now=NOW.timestamp())
    servers = {
        *("ubuntu1: MySQL", "ubuntu2: MySQL", "ubuntu3: MySQL", "ubuntu1: Cassandra"),
        *("ubuntu2: Cassandra", "ubuntu3: Cassandra", "ubuntu4: Cassandra"),
    }
    assert data.server_checks(LAB) == servers
    assert servers <= {one.name for one in checks(found)}


def test_a_password_is_asked_for_where_that_is_needed_and_nowhere_else():
    """In the lab as it is delivered, and of MySQL's servers only the primary goes on to ask."""
    asked = {node: questions.questions(LAB, node, ()).get("cassandra") for node in LAB.names}
    ring = ("192.168.56.11", "192.168.56.12", "192.168.56.13", "192.168.56.14")
    file = "/etc/lab/secrets/django/cassandra_django_password"
    nobody = dict.fromkeys(("ubuntu2", "ubuntu3", "ubuntu4"))
    assert asked == {"ubuntu1": ("posts", "django", file, questions.POSTS, *ring), **nobody}
    inside = questions.inside(LAB, "ubuntu2")["mysql"]
    assert inside["account"] == ("account", "192.168.56.12", "9200")


def test_who_has_to_reach_whom():
    """In the lab as it is delivered."""
    ring = ("ubuntu1", "ubuntu2", "ubuntu3", "ubuntu4")
    found = {(node, port): sources for node, port, sources in questions.links(LAB)}
    assert found == {
        ("ubuntu1", 80): ("ubuntu3", "ubuntu4"),
        ("ubuntu2", 80): ("ubuntu3", "ubuntu4"),
        ("ubuntu4", 80): ("ubuntu3",),
        ("ubuntu3", 29000): ("ubuntu4",),
        **{(node, 9200): tuple(b for b in ring[2:] if b != node) for node in ring[:3]},
        **{(node, 33061): tuple(n for n in ring[:3] if n != node) for node in ring[:3]},
        **{(node, 9042): tuple(n for n in ring[:3] if n != node) for node in ring},
        **{(node, 7000): tuple(n for n in ring if n != node) for node in ring},
    }


@pytest.mark.parametrize(
    ("day", "evidence"),
    [
        (1, ""),
        (11, "expired on 2026-01-11"),
        (-1, "is not valid before 2026-01-01"),
    ],
)
def test_a_certificate_is_judged_by_its_dates(day, evidence):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    pem = certificate(begin, begin + timedelta(days=10))
    assert registry.invalid(pem, (begin + timedelta(days=day)).timestamp()) == evidence


def certificate(begin, end):
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    signed = builder.not_valid_before(begin).not_valid_after(end).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("mode", [*of_one_node(), "overlay"])
def test_of_a_lab_in_which_nobody_answers_each_node_is_a_culprit_and_nothing_else(mode):
    """In every mode the checks fit together, and all that they find has these four reasons."""
    lab = LAB.with_overlay() if mode == "overlay" else LAB.with_mode("ubuntu1", mode)
    authority = certificate(NOW, NOW + timedelta(days=1))
    wanted = {node: plans.plan(replace(SITE, topology=lab), node) for node in lab.names}
    found = replace(facts({}), topology=lab, plans=wanted, authority=authority, now=NOW.timestamp())
    culprits = [finding.check for finding in diagnose(checks(found))]
    assert culprits == [f"{node}: SSH" for node in lab.names]


# (mode, the nodes of nginx and Django, what lies between them)
WAYS = [
    (
        "default-bridge",
        "ubuntu1",
        "ubuntu1",
        ["address that nginx is told", "name that nginx is told"],
    ),
    (
        "custom-bridge",
        "ubuntu1",
        "ubuntu1",
        ["address that nginx is told", "name that nginx is told"],
    ),
    ("unix-socket", "ubuntu1", "ubuntu1", ["address that nginx is told", "uWSGI's socket"]),
    ("all-in-one", "ubuntu1", "ubuntu1", []),
    (
        "separate-hosts",
        "ubuntu4",
        "ubuntu3",
        ["address that nginx is told", "name that nginx is told", "port 29000"],
    ),
]


@pytest.mark.parametrize(("mode", "outer", "inner", "between"), WAYS)
def test_what_has_to_be_well_between_nginx_and_django(mode, outer, inner, between):
    lab = LAB if outer != inner else LAB.with_mode(outer, mode)
    found = checks(all_answered(lab, Answer(0), state="running"))
    (through,) = (check for check in found if check.name == f"{outer}: nginx to Django")
    needs = [name for need in through.needs for name in need.checks]
    own = ("nginx", "Django")
    halves = [name for name in needs if name.split(": ")[1] in own or "network of" in name]
    assert [name for name in needs if name not in halves] == [
        f"{inner if name == 'port 29000' else outer}: {name}" for name in between
    ]


# What Python makes of a record, a mapping, an object; none of it is for people.
REPR = re.compile(r"\b[A-Z]\w*\(\w+=|<\w[\w.]* (object|at) |\bNone\b|[\[({]'|frozenset")
ANSWERS = {
    "late": Answer(None),
    "empty": Answer(0),
    "failed": Answer(1, "", "it said why"),
    "strange": Answer(0, "strange words\nof a program\n"),
    "cut off": Answer(None, "/ 62146 34% 6%\n/run 12\n# pxname,svname\nnginx"),
    "no mapping": Answer(0, '["a", {"b": 1}]\n["c"]\n'),
}


def all_answered(lab, answer, **container):
    """Facts of a lab whose nodes all answer the same to every question but the servers' roles."""
    authority = certificate(NOW, NOW + timedelta(days=1))
    wanted = {node: plans.plan(replace(SITE, topology=lab), node) for node in lab.names}
    found = {}
    for node in lab.names:
        asked = questions.questions(lab, node, ())
        inside = questions.inside(lab, node)
        there = {
            c.name: InspectedContainer(c.name, c.service, c.mode, digest=c.digest, **container)
            for c in wanted[node].containers
        }
        found[node] = Examined(
            0.0,
            answer,
            there,
            dict.fromkeys(asked, answer),
            {c.name: dict.fromkeys(inside.get(c.service, {}), answer) for c in there.values()},
        )
    everything = replace(facts({}), topology=lab, plans=wanted, nodes=found)
    return replace(everything, authority=authority, now=NOW.timestamp())


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("mode", [*of_one_node(), "overlay"])
def test_no_record_s_inside_is_in_what_the_doctor_says(mode, answer):
    lab = LAB.with_overlay() if mode == "overlay" else LAB.with_mode("ubuntu1", mode)
    for state in ("running", "exited", "restarting", "paused"):
        found = all_answered(lab, ANSWERS[answer], state=state, health="unhealthy", killed=True)
        for check in checks(found):
            if check.failure:
                text = f"{check.name}: {check.failure.evidence}: {check.failure.remedy}"
                assert not REPR.search(text), text


@pytest.mark.parametrize("mode", [*of_one_node(), "overlay"])
def test_silence_is_told_as_lateness_and_as_nothing_else(mode):
    """Containers run; every other answer is late: nobody may be told to restart anything."""
    lab = LAB.with_overlay() if mode == "overlay" else LAB.with_mode("ubuntu1", mode)
    found = all_answered(lab, Answer(None), state="running")
    listed = {node: replace(one, docker=Answer(0)) for node, one in found.nodes.items()}
    for nodes_, load in ((found.nodes, 0.5), (listed, 0.5), (listed, 3.0)):
        findings = diagnose(checks(replace(found, nodes=nodes_, load=load)))
        assert findings
        for finding in findings:
            if "network of" in finding.check or "address that nginx" in finding.check:
                continue  # read from Docker's list, which these containers lack here
            assert LATE in finding.evidence, finding.check
            assert finding.remedy.startswith(
                "wait, and run `fab doctor` again" if load > 2 else "run `fab doctor` again; if it"
            )


@pytest.mark.parametrize(
    ("waited_for", "text"),
    [
        ({"nginx": "running, starting"}, "nginx: running, starting"),
        (
            {"ubuntu1 on ubuntu3": Server("ubuntu1", "DOWN", "L4CON", 0), "b": None},
            "ubuntu1 on ubuntu3: DOWN L4CON, b: nothing",
        ),
        ((503, '{"status": "down"}'), '503, {"status": "down"}'),
        (["ubuntu1: no answer"], "ubuntu1: no answer"),
        (frozenset({"read", "post"}), "post, read"),
        (False, "no"),
        ([], "nothing"),
        ("", "nothing"),
    ],
)
def test_what_was_waited_for_is_told_in_words(waited_for, text):
    with pytest.raises(RemoteError) as told:
        wait_until("it", lambda: waited_for, lambda _: False, seconds=-1, advice=lambda _: "look")
    assert str(told.value) == f"it: not within -1 s; last seen: {text}; look"


def seen(failure):
    return failure.evidence if failure else None
