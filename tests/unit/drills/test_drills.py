"""The drills' pure parts: ledger, report, picture, faults; and the guard, on this machine alone."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lab.config import topology
from lab.config.paths import FOLDER
from lab.context import Lab
from lab.doctor.diagnosis import Check, Failure, each
from lab.drills import drill, faults, guard, report
from lab.drills.drill import not_well
from lab.drills.faults import Action, Target
from lab.drills.ledger import Request, verdict
from lab.drills.load import next_due
from lab.drills.picture import picture
from lab.drills.report import Incident, Report, longest_gap
from lab.errors import LabError
from tests.unit.delivered import LAB, TEXT
from tests.unit.hosts.own_lab import own_lab

REQUESTS = (
    Request("list", "", 0.5, 0.1, ""),
    Request("post", "post 1", 1.0, 0.2, ""),
    Request("post", "post 2", 2.0, 0.3, "503"),
    Request("post", "post 2", 5.0, 0.2, ""),
    Request("post", "post 3", 6.0, 0.2, "504"),
    Request("account", "drill-1-000001", 1.0, 0.2, ""),
    Request("account", "drill-1-000002", 2.0, 7.5, "500"),
    Request("session", "5e55", 1.0, 0.6, ""),
    Request("list", "", 9.5, 0.1, "503"),
)
ALL = {
    "post": {"the site": ["post 2", "post 1"]},
    "account": {"ubuntu1": ["drill-1-000001"], "ubuntu2": ["drill-1-000001"]},
    "session": {"the site": ["5e55"]},
}


@pytest.mark.parametrize(
    ("now", "due"),
    # Every 8 s, and due at 3: done at once, late, and after two turns were missed.
    [(3.0, 11.0), (10.9, 11.0), (11.1, 19.0), (30.0, 35.0)],
)
def test_a_user_who_waited_long_keeps_its_turn_among_the_others(now, due):
    assert next_due(3.0, 8.0, now) == due


@pytest.mark.parametrize(
    ("changed", "lost", "duplicated", "unclear"),
    [
        ({}, (), (), 0),
        # One acknowledged write dropped by hand, of each kind.
        ({"post": {"the site": ["post 2"]}}, ("post post 1: not in the site",), (), 0),
        # Sent twice, and acknowledged at the second time.
        ({"post": {"the site": ["post 1"]}}, ("post post 2: not in the site",), (), 0),
        (
            {"account": {"ubuntu1": ["drill-1-000001"], "ubuntu2": []}},
            ("account drill-1-000001: not in ubuntu2",),
            (),
            0,
        ),
        ({"session": {"the site": []}}, ("session 5e55: not in the site",), (), 0),
        (
            {"post": {"the site": ["post 2", "post 1", "post 2"]}},
            (),
            ("post post 2: 2 times in the site",),
            0,
        ),
        # Never acknowledged: it may be there or not, but not twice.
        ({"post": {"the site": ["post 1", "post 2", "post 3"]}}, (), (), 1),
        (
            {"post": {"the site": ["post 1", "post 2", "post 3", "post 3"]}},
            (),
            ("post post 3: 2 times in the site",),
            1,
        ),
    ],
)
def test_the_ledger_is_compared_with_what_is_there(changed, lost, duplicated, unclear):
    found = verdict(REQUESTS, ALL | changed)
    assert (found.lost, found.duplicated, found.unclear) == (lost, duplicated, unclear)
    assert found.acknowledged == {"post": 2, "account": 1, "session": 1}
    assert found.well is not bool(lost or duplicated)


@pytest.mark.parametrize("kind", ["post", "account", "session"])
def test_a_ledger_that_nobody_compared_is_no_proof(kind):
    with pytest.raises(ValueError, match=f"nobody looked for {kind}"):
        verdict(REQUESTS, ALL | {kind: {}})


@pytest.mark.parametrize(
    ("moments", "seconds"),
    [
        ([], 10.0),
        ([5.0], 5.0),
        ([1.0, 2.0, 9.0], 7.0),
        # What was before the fault does not fill a gap, and full health does not end it.
        ([-1.0, 0.0, 12.0], 12.0),
        ([9.0, 3.0, 6.0], 3.0),
        # One that began while the fault lasted counts whole, one that began later not at all.
        ([1.0, 2.0, 3.9], 6.1),
        ([1.0, 2.0, 4.0], 2.0),
    ],
)
def test_the_longest_time_without_an_answer(moments, seconds):
    assert longest_gap(moments, 0.0, 4.0, 10.0) == pytest.approx(seconds)


INCIDENT = Incident("balancer-killed", "haproxy on ubuntu3 was killed", 1.5, 7.0, 7.5, 9.0)
REPORT = Report("balancer-killed", (INCIDENT,), REQUESTS, verdict(REQUESTS, ALL))


def test_a_report_in_one_row():
    assert report.row(REPORT) == (
        "balancer-killed",
        "3.8",
        "7.5",
        "7.5",
        "4 of 9 (1 reads)",
        "7.5",
        "0",
        "0",
        "2.0",
    )


def test_a_soak_has_a_row_for_each_fault():
    second = Incident("cassandra-killed", "cassandra on ubuntu1 was killed", 9.0, 10.0, 10.5, 12.0)
    soak = Report("soak", (INCIDENT, second), REQUESTS, verdict(REQUESTS, ALL), 7)
    rows = [report.row(one) for one in report.each_incident(soak)]
    assert [row[0] for row in rows] == ["balancer-killed", "cassandra-killed"]
    assert [row[4] for row in rows] == ["2 of 4 (0 reads)", "2 of 2 (1 reads)"]
    assert [row[-1] for row in rows] == ["2.0", "2.0"]
    unwell = replace(soak, trouble="MySQL: no primary")
    assert [report.row(one)[-1] for one in report.each_incident(unwell)] == ["2.0", "2.0"]
    assert list(report.each_incident(replace(unwell, incidents=()))) == []


def test_a_report_for_a_person():
    told = report.text(REPORT).splitlines()
    assert told[0] == "balancer-killed"
    assert told[1] == "     1.5 s  haproxy on ubuntu3 was killed"
    assert told[2] == "     7.0 s  taken back; full health 2.0 s later"
    assert "       1 account: 500" in told
    assert told[-1] == (
        "  acknowledged: 2 of post, 1 of account, 1 of session; lost 0, duplicated 0,"
        " there without an acknowledgement 0"
    )
    lost = Report("x", (INCIDENT,), REQUESTS, verdict(REQUESTS, ALL | {"post": {"the site": []}}))
    assert "    LOST post post 1: not in the site" in report.text(lost).splitlines()


def test_a_lab_that_did_not_get_well_is_told_in_every_form():
    unwell = Report("x", (), REQUESTS, verdict(REQUESTS, ALL), trouble="MySQL: no primary")
    assert (REPORT.well, unwell.well) == (True, False)
    assert report.row(unwell)[1:4] == ("", "", "")
    assert report.row(unwell)[-1] == "not well"
    assert report.text(unwell).splitlines()[-1] == "    NOT WELL MySQL: no primary"
    assert report.as_json(unwell)["trouble"] == "MySQL: no primary"


def test_a_report_as_json():
    told = json.loads(json.dumps(report.as_json(REPORT)))
    assert told["failed"] == {"post: 503": 1, "post: 504": 1, "account: 500": 1, "list: 503": 1}
    assert told["events"][0]["without"]["post"] == 3.8
    assert told["verdict"]["lost"] == []


def test_a_picture_has_a_bar_for_each_second_and_the_fault_behind():
    shown = ElementTree.fromstring(picture(REPORT))  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}rect"
    # But for the legend's.
    kinds = [shape.get("class") for shape in shown.iter(name) if shape.get("width") != "10"]
    # Two panels.
    assert kinds.count("fault") == kinds.count("recovering") == 2
    # Reads were answered in one second, writes in two; one and three seconds had failures.
    assert kinds.count("answered") == 3
    assert kinds.count("failed") == 4


HIT = Target(
    *("ubuntu2", "mysql", 1.5, ("10.0.0.11", "10.0.0.10")),
    provider="docker",
    machine="lab-ubuntu2",
)
KNOWN = faults.faults(("ubuntu1", "ubuntu2"))
REVIVED = 'docker unpause "$1" 2> /dev/null || true; docker start "$1"'
SHELL = ("bash", "-euc")


@pytest.mark.parametrize(
    ("name", "do", "undo"),
    [
        (
            "mysql-primary-killed",
            ("ubuntu2", *SHELL, 'docker kill "$1"', "bash", "mysql"),
            ("ubuntu2", *SHELL, REVIVED, "bash", "mysql"),
        ),
        (
            "mysql-primary-paused",
            ("ubuntu2", *SHELL, 'docker pause "$1"', "bash", "mysql"),
            ("ubuntu2", *SHELL, REVIVED, "bash", "mysql"),
        ),
        (
            "mysql-replica-slow",
            ("ubuntu2", *SHELL, 'docker update --cpus 0.05 "$1"', "bash", "mysql"),
            ("ubuntu2", *SHELL, 'docker update --cpus "$2" "$1"', "bash", "mysql", "1.5"),
        ),
        ("ubuntu2-off", ("", "docker", "kill", "lab-ubuntu2"), ("", "vagrant", "up")),
        ("power-cut", ("", "docker", "kill", "lab-ubuntu2"), ("", "vagrant", "up")),
        (
            "ubuntu2-docker-restarted",
            ("ubuntu2", *SHELL, "systemctl restart docker", "bash"),
            ("ubuntu2", *SHELL, "systemctl start docker", "bash"),
        ),
    ],
)
def test_what_a_fault_does_and_what_takes_it_back(name, do, undo):
    fault = KNOWN[name]
    assert [(one.node, *one.argv) for one in fault.do(HIT)] == [do]
    assert [(one.node, *one.argv) for one in fault.undo(HIT)] == [undo]


VIRSH = ("", "virsh", "--connect", "qemu:///system")
CONTROL = ("", "VBoxManage", "controlvm", "lab-ubuntu2")


@pytest.mark.parametrize(
    ("provider", "off", "frozen"),
    [
        ("docker", ("", "docker", "kill", "lab-ubuntu2"), ("", "docker", "pause", "lab-ubuntu2")),
        (
            "libvirt",
            (*VIRSH, "destroy", "lab-ubuntu2"),
            (*VIRSH, "suspend", "lab-ubuntu2"),
        ),
        ("virtualbox", (*CONTROL, "poweroff"), (*CONTROL, "pause")),
    ],
)
def test_a_machine_loses_its_power_or_freezes_by_its_provider(provider, off, frozen):
    hit = replace(HIT, container="", provider=provider)
    for name, wanted in (("off", off), ("frozen", frozen)):
        assert [(one.node, *one.argv) for one in KNOWN[f"ubuntu2-{name}"].do(hit)] == [wanted]


# A provider's program, its answers when the machine is frozen and when it runs, and what thaws it.
THAWED = [
    ("docker", "docker", ("true", "false"), "unpause lab-ubuntu2"),
    (
        *("libvirt", "virsh", ("paused", "running")),
        "--connect qemu:///system resume lab-ubuntu2",
    ),
    (
        *("virtualbox", "VBoxManage", ('VMState="paused"', 'VMState="running"')),
        "controlvm lab-ubuntu2 resume",
    ),
]


@pytest.mark.parametrize("case", THAWED, ids=lambda case: case[0])
def test_what_is_not_frozen_is_not_thawed(tmp_path, monkeypatch, case):
    provider, program, states, thawed = case
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    stub = tmp_path / program
    (thaw,) = KNOWN["ubuntu2-frozen"].undo(replace(HIT, provider=provider))
    for state, did in zip(states, (f"{thawed}\n", ""), strict=True):
        (tmp_path / "did").write_text("")
        stub.write_text(
            f"""#!/bin/sh
case "$*" in
  *resume*|unpause*) echo "$*" >>"{tmp_path}/did" ;;
  *) echo '{state}' ;;
esac
"""
        )
        stub.chmod(0o755)
        subprocess.run(thaw.argv, check=True)
        assert (tmp_path / "did").read_text() == did


def test_of_hosts_of_one_s_own_nobody_here_has_the_power():
    lab = Lab(topology.load(own_lab(TEXT), {}))
    nodes = ("ubuntu1", "ubuntu2", "ubuntu3", "ubuntu4")
    lacking = {f"{node}-{kind}" for node in nodes for kind in ("off", "frozen")} | {"power-cut"}
    assert drill.powerless(lab) == lacking
    assert drill.known(lab).keys() == drill.known(Lab(LAB)).keys() - lacking


def test_an_unknown_provider_s_machine_is_refused_in_a_line():
    with pytest.raises(LabError) as error:
        KNOWN["ubuntu2-off"].do(replace(HIT, provider="parallels"))
    assert str(error.value) == (
        "drill: nothing here can cut the power of parallels's machine lab-ubuntu2"
    )


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("mysql-primary-disk-full", "mysql"),
        ("mysql-replica-disk-full", "mysql"),
        ("cassandra-disk-full", "cassandra"),
    ],
)
def test_a_disk_is_filled_that_is_small_and_nobody_else_s(name, service):
    fault, target = KNOWN[name], replace(HIT, container=service)

    def small_disk(action):
        return ("ubuntu2", "lab-small-disk", action, service)

    given, *more = [(one.node, *one.argv) for one in fault.prepare(target)]
    assert given == small_disk("give")
    again = ("ubuntu2", *SHELL, faults.BECOME_PRIMARY, "bash", "mysql")
    assert more == ([again] if name == "mysql-primary-disk-full" else [])
    for make, action in ((fault.do, "fill"), (fault.undo, "empty"), (fault.restore, "take")):
        assert [(one.node, *one.argv) for one in make(target)] == [small_disk(action)]


def test_other_faults_need_nothing_before():
    others = [fault for name, fault in KNOWN.items() if not name.endswith("-disk-full")]
    assert not any(fault.prepare(HIT) or fault.restore(HIT) for fault in others)


SMALL_DISK = FOLDER / "provision/node/sbin/lab-small-disk"


@pytest.mark.parametrize("service", ["mysql", "cassandra"])
def test_no_disk_is_filled_but_a_small_one(tmp_path, service):
    script = SMALL_DISK.read_text()
    for folder in ("/var/lib/docker/volumes", "/run/lock"):
        assert folder in script
        script = script.replace(folder, str(tmp_path))
    volume = tmp_path / f"{service}_data/_data"
    volume.mkdir(parents=True)
    argv = ("bash", "-c", script, "lab-small-disk", "fill", service)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == f"{volume} is not a mountpoint\n"
    assert list(volume.iterdir()) == []


@pytest.mark.parametrize("arguments", [("fill", "django"), ("drop", "mysql"), ("fill",), ()])
def test_what_is_no_small_disk_of_the_lab_is_refused(arguments):
    argv = ("bash", SMALL_DISK, *arguments)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split("\n")[0]) == (
        2,
        "usage: lab-small-disk give|fill|empty|take mysql|cassandra",
    )


@pytest.mark.parametrize(
    ("name", "drops"),
    [
        ("cassandra-cut-off", ['-s "$peer"  -j DROP', '-d "$peer"  -j DROP']),
        ("cassandra-deaf", ['-s "$peer"  -j DROP']),
        ("cassandra-mute", ['-d "$peer"  -j DROP']),
    ],
)
def test_a_node_is_cut_off_in_the_directions_that_are_meant(name, drops):
    (done,) = KNOWN[name].do(HIT)
    script = done.argv[2]
    assert done.argv[-2:] == ("10.0.0.11", "10.0.0.10")
    found = [line.split("LAB-DRILL ")[1] for line in script.splitlines() if "DROP" in line]
    assert found == drops


def test_every_fault_hits_a_role_and_has_its_own_name():
    assert {"balancer-killed", "mysql-primary-cut-off", "cassandra-paused"} <= KNOWN.keys()
    assert {"ubuntu1-off", "ubuntu2-memory-short", "power-cut"} <= KNOWN.keys()
    assert all(name == fault.name for name, fault in KNOWN.items())


def here(script):
    return Action("", ("sh", "-c", script))


@pytest.fixture
def guarding(tmp_path):
    with guard.guard(tmp_path / "guard.log") as guarding:
        yield guarding


def test_a_fault_is_taken_back_when_the_block_is_left(tmp_path, guarding):
    path, other = tmp_path / "broken", tmp_path / "other"
    with guarding.standing((here(f"rm {other}"),)):
        other.touch()
        with guarding.standing((here(f"rm {path}"),)):
            path.touch()
        assert not path.exists()
        assert other.exists()
    assert not other.exists()


def test_a_fault_is_taken_back_although_the_drill_failed(tmp_path, guarding):
    path = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt), guarding.standing((here(f"rm {path}"),)):
        path.touch()
        raise KeyboardInterrupt
    assert not path.exists()


def test_what_somebody_has_to_look_at_is_kept(tmp_path, guarding):
    path = tmp_path / "evidence"
    with guarding.standing((here(f"rm {path}"),)) as standing:
        path.touch()
        standing.keep()
    assert path.exists()


def test_what_fails_at_first_is_tried_again(tmp_path):
    """As with a node that has to boot before anything can be done there."""
    script = f"test -e {tmp_path}/booted || {{ touch {tmp_path}/booted; false; }}"
    guard.take_back((here(script),))


def test_what_can_t_be_taken_back_is_told():
    with pytest.raises(LabError, match="`sh -c false` ended with 1"):
        guard.take_back((here("false"),), seconds=0)


DRILL = """
import json, sys
from pathlib import Path
from lab.drills.faults import Action
from lab.drills.guard import guard, run
do, *undo = (Action("", ("sh", "-c", script)) for script in json.loads(sys.argv[1]))
with guard(Path(sys.argv[2])) as guarding:
    with guarding.standing((undo[1],)), guarding.standing((undo[0],)):
        print("begins", flush=True)
        run(do)
        print("done", flush=True)
        sys.stdin.read()
        print("ends", flush=True)
"""
UNDO_FAILS = """
import sys
from pathlib import Path
from lab.drills import guard
from lab.drills.faults import Action
from lab.errors import LabError
# It runs the command by way of flock and timeout.
FLOCK = "$(awk '{{print $4}}' /proc/$PPID/stat)"
END_THE_GUARD = f"kill $(awk '{{{{print $4}}}}' /proc/{{FLOCK}}/stat)"
with guard.guard(Path(sys.argv[1])) as guarding:
    try:
        with guarding.standing((Action("", ("sh", "-c", END_THE_GUARD)),)):
            raise {raised}
    except LabError as error:
        print("LabError", error)
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["begins", "done", "ends"])
def test_a_fault_is_taken_back_although_the_drill_was_killed(tmp_path, number, moment):
    """Also while the fault is still being injected, which goes on without the drill, and while it
    is being taken back, which nobody waits for any more.

    The latest is taken back first: what the users wrote is removed once the lab is well.
    """
    did, order = tmp_path / "broken", tmp_path / "order"
    scripts = (
        f"touch {did}.begun; sleep 0.3; touch {did}",
        f"sleep 0.2; rm {did} && echo healed >> {order}",
        f"echo forgotten >> {order}",
    )
    argv = (sys.executable, "-c", DRILL, json.dumps(scripts), str(tmp_path / "guard.log"))
    with subprocess.Popen(
        argv, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as drill:
        for line in drill.stdout:
            if line.strip() == moment:
                break
            if line.strip() == "done":
                drill.stdin.close()
        until(lambda: tmp_path.joinpath("broken.begun").exists())
        drill.send_signal(number)
    until(lambda: order.exists() and order.read_text() == "healed\nforgotten\n")
    assert not did.exists()


@pytest.mark.parametrize(
    ("raised", "told"),
    [("KeyboardInterrupt", "KeyboardInterrupt\n"), ("LabError('x')", "LabError not taken back: ")],
)
def test_ctrl_c_stays_one_although_something_could_not_be_taken_back(tmp_path, raised, told):
    argv = (sys.executable, "-c", UNDO_FAILS.format(raised=raised), str(tmp_path / "guard.log"))
    done = subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(told), done.stderr
    assert "not taken back: the guard ended" in done.stdout + done.stderr


def until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


BUSY = Check("this machine", Failure("19 processes for each processor", ""))
OUTSIDE = Failure("it is ERROR in the group", "")
LATE_PORT = Check("ubuntu3: port 33061", Failure("no answer in time", ""), (each("this machine"),))


@pytest.mark.parametrize(
    ("checks", "found"),
    [
        ((Check("this machine", None),), []),
        ((BUSY, LATE_PORT), []),
        (
            (BUSY, LATE_PORT, Check("ubuntu3: MySQL", OUTSIDE, (each("ubuntu3: port 33061"),))),
            ["ubuntu3: MySQL: it is ERROR in the group"],
        ),
        (
            (Check("ubuntu3: MySQL", OUTSIDE),),
            ["ubuntu3: MySQL: it is ERROR in the group"],
        ),
        ((Check("ubuntu3: small disk of mysql", Failure("lies over", "")),), []),
        ((Check("ubuntu1: nginx", Failure("is paused", "")),), ["ubuntu1: nginx: is paused"]),
    ],
)
def test_a_lab_is_well_although_answers_are_late_but_never_without_a_database(checks, found):
    servers = frozenset({"ubuntu3: MySQL", "ubuntu3: Cassandra"})
    assert not_well(checks, servers, frozenset({"ubuntu3: small disk of mysql"})) == found
