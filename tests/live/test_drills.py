"""Drills: faults under users who write a ledger, and the ledger's own check.

`make test` runs a few short ones; `make test-all` every fault in a soak, a power cut five times.
No time is asserted: this machine may be busy. What was measured stands in docs/drills.md.
"""

import os
import random
import signal
import subprocess

import pytest

from lab.config.paths import FOLDER
from lab.context import Lab
from lab.databases.roles import primary
from lab.drills import drill as drills
from lab.drills import evidence
from lab.drills import report as reports
from lab.drills.drill import known
from lab.drills.guard import guard
from lab.drills.ledger import verdict
from lab.drills.load import Load
from lab.engine.ssh import wait_until
from tests.conftest import TOPOLOGY
from tests.live.support.data_faults import sql
from tests.live.test_doctor import FAB, wait_well
from tests.nodes.conftest import ssh

FAULTS = known(Lab(TOPOLOGY))
SHORT = ("balancer-killed", "mysql-primary-killed", "cassandra-paused")
# Of these one dies, and the others answer each page.
READS_GO_ON = {
    f"{role}-{kind}"
    for role in ("nginx", "django", "cassandra", "mysql-replica")
    for kind in ("killed", "paused", "stopped", "crashed")
}
# The users are served again before it is taken back.
GOT_OVER = {
    name
    for name, fault in FAULTS.items()
    if not fault.outage and not name.endswith(("-lossy", "-slow"))
}
SECONDS = 60


def broken_promises(report):
    """What each fault of the report should not have cost."""
    return [
        *(
            f"{part.name}: {part.failed}"
            for part in reports.each_incident(report)
            if part.name in READS_GO_ON and part.failed_reads
        ),
        *(
            f"{incident.fault}: the users were not served"
            for incident in report.incidents
            if incident.fault in GOT_OVER and incident.undoing - incident.injected >= drills.LONGEST
        ),
    ]


def test_nothing_acknowledged_is_lost(running, capsys):
    chosen = [(FAULTS[name], random.Random(name)) for name in SHORT]  # noqa: S311
    report = drills.in_turn(running, "short", chosen)
    with capsys.disabled():
        print("\n" + reports.table((*reports.each_incident(report), report)))
    assert report.well, reports.text(report)
    assert tuple(incident.fault for incident in report.incidents) == SHORT
    assert broken_promises(report) == []


@pytest.mark.long
def test_a_power_cut_five_times_in_a_row(running, capsys):
    for _ in range(5):
        report = drills.drill(running, FAULTS["power-cut"])
        with capsys.disabled():
            print("\n" + "|".join(("", *reports.row(report), "")))
        assert report.well, reports.text(report)


@pytest.mark.long
def test_a_soak_of_every_fault(running, capsys):
    report = drills.soak(running, minutes=0, seed=6, hold=lambda: None)
    with capsys.disabled():
        print("\n" + reports.table((*reports.each_incident(report), report)))
    assert report.well, reports.text(report)
    assert {incident.fault for incident in report.incidents} == set(FAULTS)
    assert broken_promises(report) == []


DROP_A_POST = """
from django.contrib.auth import get_user_model
from posts import by_account, store
from posts.ids import month_of
from posts.store import Account
account = get_user_model().objects.using("default").get(username={writer!r}).pk
post = by_account.page(Account(account, {writer!r}), None)[0][0]
store.connected().session.execute(
    "DELETE FROM posts_of_accounts WHERE account = %s AND month = %s AND id = %s",
    (account, month_of(post.created), post.id),
)
print(post.content)
store.disconnect()
"""


def test_the_ledger_tells_of_each_write_that_was_dropped_by_hand(running):
    prefix = f"{drills.PREFIX}bymyhand-"
    remove = drills.forgetting(running)
    with guard(drills.DRILL_REPORTS / "guard.log") as guarding, guarding.standing(remove):
        password = running.secrets["django_admin_password"]
        load = Load(TOPOLOGY.virtual_address, password, prefix, lambda _: None)
        with load.running():
            wait_until(
                "some of each",
                lambda: {one.kind for one in load.requests if not one.wrong},
                lambda kinds: kinds >= {"post", "account", "session"},
                seconds=SECONDS,
                advice=lambda _: "fab doctor",
            )
        assert verdict(load.requests, evidence.look(running, load)).well

        shell = f"sudo docker exec -i {remove[0].argv[2]} python manage.py shell --no-imports"
        content = ssh(remove[0].node, shell, DROP_A_POST.format(writer=load.writer)).strip()
        account = sorted(one.key for one in load.requests if one.kind == "account")[0]
        where = f"WHERE username = '{account}'"
        sql(running, primary(running), f"DELETE FROM djangodb.auth_user {where}")  # noqa: S608 - its own
        session, client = next(iter(load.sessions.items()))
        client.sign_out()

        found = verdict(load.requests, evidence.look(running, load))
        post = content.removeprefix(prefix)
        assert found.lost == (
            f"post {post}: not in the site",
            *(f"account {account}: not in {name}" for name in TOPOLOGY.settings.mysql),
            f"session {session}: not in the site",
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_drill_that_is_cut_off_leaves_the_lab_as_it_was(running, number):
    server = primary(running)
    state = ("docker", "inspect", "--format", "{{.State.Status}}", "mysql")
    # Tests that run in the background ignore Ctrl-C, and so would the drill.
    argv = ("env", "--default-signal=INT", FAB, "drill", "mysql-primary-paused")
    with subprocess.Popen(
        argv, cwd=FOLDER, stderr=subprocess.PIPE, start_new_session=True, text=True
    ) as fab:
        wait_until(
            "a paused primary",
            lambda: running.nodes[server].run(*state).strip(),
            lambda seen: seen == "paused",
            seconds=SECONDS,
            advice=lambda _: "fab drill mysql-primary-paused",
        )
        os.killpg(fab.pid, number)
        said = fab.stderr.read()
    assert fab.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9}[number], said
    for subject, look, wanted in (
        ("the primary again", lambda: running.nodes[server].run(*state).strip(), "running"),
        ("none of the drill's accounts", lambda: _accounts(running), 0),
    ):
        wait_until(
            subject,
            look,
            lambda seen, wanted=wanted: seen == wanted,
            seconds=SECONDS,
            advice=lambda _: ".lab/reports/drills/guard.log",
        )
    wait_well(running)


def _accounts(running):
    query = "SELECT COUNT(*) FROM djangodb.auth_user WHERE username LIKE 'drill-%'"
    return max(int(sql(running, name, query)) for name in TOPOLOGY.settings.mysql)
