"""Releases under fire: nobody notices a good one, a bad one or a way back."""

import random
import re
import signal
import time
import uuid
from contextlib import contextmanager

import pytest

from lab.balancers import balancers
from lab.deploy import static
from lab.deploy.deploy import deploy
from lab.doctor.status import status
from lab.engine.ssh import wait_until
from lab.visitor.client import Client
from lab.visitor.journey import style_sheets
from tests.conftest import TOPOLOGY
from tests.live.support.fire import clean_rate, signed_in, under_fire
from tests.live.support.sources import Copy

KILLS, SEED = 20, 5
# Requests a second, where the highest rate is not what is asked for.
CALM = 10
STYLE, VIEW = "django_app/static/site.css", "django_app/posts/views.py"
HASHED = len("site.0123456789ab.css")
HEALTH = "django_app/project/health.py"
DJANGO_NODES = [service.django for service in TOPOLOGY.web]
WEB_CONTAINERS = {"django", "nginx", "allinone"}


@pytest.fixture(scope="module")
def users(running):
    return signed_in(running.secrets["django_admin_password"])


@pytest.fixture(scope="module")
def rate(users, tell):
    """The highest rate that the lab serves cleanly while nothing is changed."""
    found = clean_rate(users)
    tell(f"clean rate: {found} requests a second")
    return found


@pytest.fixture
def fire(users, tell):
    """fire(rate, what): users all the while, of whom none notices what is done."""

    @contextmanager
    def fire(rate, what):
        with under_fire(users, rate) as shots:
            yield shots
        tell(f"{what}: {shots}")
        assert shots.failed == []
        assert len(shots.answers) > 3 * rate
        assert not shots.cut_off

    return fire


@pytest.fixture
def copy(tmp_path, running):
    """An edited copy of the sources; afterwards the lab is back at those that are tested."""
    before = running.current_release()
    yield Copy.make(tmp_path / "copy")
    found = status(running)
    changed = [line for name in TOPOLOGY.names for line in found.changed_web(name)]
    if running.current_release() != before or changed or found.troubles():
        deploy(running, TOPOLOGY.web)
    expect_settled(running)


def expect_settled(running):
    """All is well, every server gets requests, nothing stopped lies about."""
    assert status(running).troubles() == []
    for view in balancers.states(running).values():
        assert {name: server.status for name, server in view.items()} == dict.fromkeys(
            TOPOLOGY.nginx_nodes, "UP"
        )
    names = {}
    for name in TOPOLOGY.names:
        found = running.nodes[name].observe()
        names[name] = sorted(
            c.name for c in found.containers.values() if c.service in WEB_CONTAINERS
        )
    assert names == {
        name: sorted(
            f"{program}-{service.mode}-1"
            for service in TOPOLOGY.web
            for program, node in (("django", service.django), ("nginx", service.nginx))
            if node == name
        )
        for name in TOPOLOGY.names
    }


def served():
    """node of Django -> release, as the headers of each service say."""
    found = {}
    for service in TOPOLOGY.web:
        _, headers, _ = Client(TOPOLOGY.address(service.nginx)).get("/uwsgi_health")
        found[headers["X-Lab-Node"]] = headers["X-Lab-Release"]
    return found


def release_of(run):
    (line,) = [line for _, line in run.lines if " release 2" in line and " lab " in line][-1:]
    return re.search(r" release (\d{8}-\d{4}-[0-9a-f]{6})\b", line)[1]


def started(running):
    """node -> container -> when it was started."""
    found = {}
    for name in TOPOLOGY.names:
        containers = [
            c.name
            for c in running.nodes[name].observe().containers.values()
            if c.service in WEB_CONTAINERS | {"haproxy"}
        ]
        if containers:
            inspected = running.nodes[name].inspect(*containers)
            found[name] = {one["Name"].lstrip("/"): one["State"]["StartedAt"] for one in inspected}
    return found


def expect_release_and_way_back(running, fire, rate, copy, tell):
    before = running.current_release().name
    # A style sheet that no node can have from an earlier run.
    copy.edit(STYLE, "", f"\n.fire-{uuid.uuid4().hex} {{ color: red; }}\n")
    copy.edit(VIEW, '"Posted."', '"Posted, by another release."')
    with fire(rate, "deploy of a view and a style sheet") as shots:
        ended, run = copy.fab("deploy")
        assert ended == 0, run.output
    release = release_of(run)
    assert served() == dict.fromkeys(DJANGO_NODES, release)
    for service in TOPOLOGY.web:
        assert shots.first_of(service.django, release) > run.when(service.nginx, "ready and warm")
    with fire(rate, "rollback") as shots:
        ended, run = copy.fab("rollback")
        assert ended == 0, run.output
    tell(f"rollback: {run.lines[-1][0] - run.began:.1f} s: {run.lines[-2][1]}")
    assert served() == dict.fromkeys(DJANGO_NODES, before)
    listed = [line.split() for line in copy.fab("releases")[1].output.splitlines()[1:]]
    states = {words[0]: words[4] for words in listed}
    assert (states[before], states[release]) == ("live", "was")


def test_a_release_and_the_way_back_fail_no_request(running, fire, copy, tell):
    expect_release_and_way_back(running, fire, CALM, copy, tell)


@pytest.mark.long
def test_they_fail_none_at_the_highest_rate_that_the_lab_serves(running, fire, rate, copy, tell):
    expect_release_and_way_back(running, fire, rate, copy, tell)


def test_a_style_sheet_goes_live_while_every_container_serves(running, fire, copy, tell):
    before, rule = started(running), f"fire-{uuid.uuid4().hex}"
    copy.edit(STYLE, "", f"\n.{rule} {{ color: red; }}\n")
    with fire(CALM, "deploy of a style sheet"):
        ended, run = copy.fab("deploy")
        assert ended == 0, run.output
    tell(f"style sheet live after {run.lines[-1][0] - run.began:.1f} s: {run.lines[-2][1]}")
    assert started(running) == before
    assert served() == dict.fromkeys(DJANGO_NODES, release_of(run))
    for service in TOPOLOGY.web:
        client = Client(TOPOLOGY.address(service.nginx))
        (style,) = style_sheets(client.get("/accounts/login/")[2])
        assert rule in client.get(style)[2]


SIGNED_IN = "    cursor = request.GET"
BAD_MIGRATION = """\
from django.db import migrations


def fail(apps, editor):
    raise RuntimeError("bad migration")


class Migration(migrations.Migration):
    dependencies = [("posts", "0001_removed_accounts")]
    operations = [migrations.RunPython(fail)]
"""
# kind -> file, text, what stands there instead; words with which the deploy is refused
BAD = {
    "answers 500": (
        (VIEW, SIGNED_IN, f"    raise RuntimeError('bad view')\n{SIGNED_IN}"),
        ("signing in as lab-probe: answered 500", "RuntimeError: bad view"),
    ),
    "can't start": (
        ("django_app/project/wsgi.py", "", "\nraise RuntimeError('bad start')\n"),
        ("ends again and again", "RuntimeError: bad start"),
    ),
    "fails /ready": (
        (HEALTH, '"cassandra": store.check', '"cassandra": store.check, "bad": lambda: 1 / 0'),
        ("/ready: not within 20 s", '"bad": "down"', "ZeroDivisionError"),
    ),
    "hangs at its start": (
        ("django_app/project/wsgi.py", "", "\nimport time\n\ntime.sleep(600)\n"),
        ("healthy containers: not within 60 s", "starting"),
    ),
    "hangs in a view": (
        (VIEW, SIGNED_IN, f"    import time\n\n    time.sleep(25)\n{SIGNED_IN}"),
        ("started, but does not serve", "timed out"),
    ),
    "fails in its migration": (
        ("django_app/posts/migrations/0002_bad.py", "", BAD_MIGRATION),
        ("initialize failed", "RuntimeError: bad migration"),
    ),
}
SHORT = "answers 500"


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k == SHORT else [pytest.mark.long]) for k in BAD]
)
def test_a_bad_release_never_goes_live(running, fire, copy, kind):
    (path, old, new), words = BAD[kind]
    copy.edit(path, old, new)
    expect_refused(running, fire, copy, kind, words)


def beyond_the_first(containers):
    first = TOPOLOGY.web[0]
    return {n: found for n, found in containers.items() if n not in (first.django, first.nginx)}


def expect_refused(running, fire, copy, kind, words):
    """The deploy fails with these words, and nobody notices it."""
    before, containers = running.current_release(), started(running)
    with fire(CALM, f"a release that {kind}") as shots:
        ended, run = copy.fab("deploy")
        assert ended == 1, run.output
    for word in words:
        assert word in run.output
    assert {answer.release for answer in shots.answers if answer.release} == {before.name}
    assert served() == dict.fromkeys(DJANGO_NODES, before.name)
    assert running.current_release() == before
    assert beyond_the_first(started(running)) == beyond_the_first(containers)
    newest = copy.fab("releases")[1].output.splitlines()[1]
    assert " failed: " in newest
    expect_settled(running)


@pytest.mark.long
def test_a_node_without_the_files_that_pages_name_gets_them_with_the_next_set(running, copy):
    (before,) = static.serving(running)
    nodes = [running.nodes[name] for name in DJANGO_NODES]
    nodes[0].run("rm", f"{static.VOLUME}/manifests/{before}.json")
    names = nodes[0].run("cat", f"{static.VOLUME}/sets/{before}").split()
    # Of this set alone: pages of earlier ones may be in a browser.
    (hashed,) = [name for name in names if name.startswith("site.") and len(name) == HASHED]
    nodes[0].run("rm", f"{static.VOLUME}/static_root/{hashed}")
    copy.edit(STYLE, "", f"\n.fire-{uuid.uuid4().hex} {{ color: red; }}\n")
    ended, run = copy.fab("deploy")
    assert ended == 0, run.output
    (after,) = static.serving(running)
    assert after != before
    laid = "cd {}; ls manifests; cat sets/{} | xargs -I % ls static_root/%".format
    for node in nodes:
        for name in (before, after):
            assert f"{name}.json" in node.run("sh", "-ec", laid(static.VOLUME, name))


@pytest.mark.long
def test_static_files_that_pages_miss_never_go_live(running, fire, copy):
    icon = copy.folder / "django_app/static/favicon.svg"
    icon.rename(icon.with_name("another.svg"))
    before = started(running)
    words = (
        "pages may name what is no static file now: favicon.svg",
        "started, but does not serve",
        "Missing staticfiles manifest entry for 'favicon.svg'",
    )
    expect_refused(running, fire, copy, "lacks a file", words)
    assert started(running) == before


@pytest.mark.long
def test_a_bad_release_of_another_wiring_is_put_back_with_its_static_files(running, fire, copy):
    web = [f"  - {{mode: {s.mode}, django: {s.django}, nginx: {s.nginx}}}\n" for s in TOPOLOGY.web]
    apart = TOPOLOGY.web[-1].nginx
    moved = f"  - {{mode: unix-socket, django: {apart}, nginx: {apart}}}\n"
    # It is the first to be tried, and the only one.
    copy.edit("lab.yml", "".join(web), "".join((moved, *web[:-1])))
    (path, old, new), _ = BAD[SHORT]
    copy.edit(path, old, new)
    with fire(CALM, "a bad release of another wiring"):
        ended, run = copy.fab("deploy")
        assert ended == 1, run.output
    assert "signing in: answered 500" in run.output
    client = Client(TOPOLOGY.address(apart))
    (style,) = style_sheets(client.get("/accounts/login/")[2])
    assert client.get(style)[0] == 200
    expect_settled(running)


@pytest.mark.long
def test_an_image_that_cannot_be_pulled_stops_a_deploy_before_anything_changes(running, fire, copy):
    node = running.nodes[TOPOLOGY.web[-1].django]
    rule = ("OUTPUT", "--protocol", "tcp", "--dport", "5000", "--jump", "REJECT")
    copy.edit(VIEW, '"Posted."', '"Posted, from nowhere."')
    before = started(running)
    node.run("iptables", "--insert", *rule)
    try:
        expect_refused(running, fire, copy, "can't be pulled", (f"{node.name}: `", "docker pull"))
    finally:
        node.run("iptables", "--delete", *rule)
    assert started(running) == before


@pytest.mark.long
def test_only_what_changed_is_replaced(running, fire, rate, copy):
    before = started(running)
    copy.edit("images/webapp_nginx/nginx.conf", "send_timeout 10s;", "send_timeout 11s;")
    with fire(rate, "deploy of nginx alone"):
        ended, run = copy.fab("deploy")
        assert ended == 0, run.output
    after = started(running)
    changed = {(n, c) for n in before for c in before[n] if before[n][c] != after[n][c]}
    assert changed == {(s.nginx, f"nginx-{s.mode}-1") for s in TOPOLOGY.web}
    ended, again = copy.fab("deploy")
    assert ended == 0, again.output
    assert started(running) == after
    begun = ("build webapp", "pushed webapp", "pull webapp", "start ", "replace ", "remove ")
    assert not [line for _, line in again.lines if any(words in line for words in begun)]


@pytest.mark.long
def test_another_configuration_of_haproxy_loses_no_connection(running, fire, rate, copy):
    before = started(running)
    copy.edit("lab/templates/web.cfg.j2", "timeout queue 5s", "timeout queue 6s")
    with fire(rate, "HAProxy's configuration"):
        ended, run = copy.fab("balance")
        assert ended == 0, run.output
    assert "reload haproxy" in run.output
    assert started(running) == before


@pytest.mark.long
def test_a_change_of_mode_and_the_way_back_fail_no_request(running, fire, rate, copy):
    alone = next(s.django for s in reversed(TOPOLOGY.web) if s.django == s.nginx)
    # Of the pages of this node the others have to have the style sheet, too.
    copy.edit(STYLE, "", f"\n.alone-{uuid.uuid4().hex} {{ color: red; }}\n")
    for mode in ("unix-socket", "all-in-one"):
        with fire(rate, f"to {mode}"):
            ended, run = copy.fab("-H", alone, "deploy", f"--mode={mode}")
            assert ended == 0, run.output
    with fire(rate, "back from all-in-one"):
        ended, run = copy.fab("deploy")
        assert ended == 0, run.output


@pytest.mark.long
def test_a_rollback_brings_back_the_wiring_that_was_recorded(running, fire, copy):
    wiring = "{mode: custom-bridge, django: ubuntu2, nginx: ubuntu2}"
    before = running.current_release()
    copy.edit("lab.yml", wiring, wiring.replace("custom-bridge", "unix-socket"))
    assert copy.fab("deploy")[0] == 0
    assert (
        Client(TOPOLOGY.address("ubuntu2")).get("/uwsgi_health")[1]["X-Lab-Mode"] == "unix-socket"
    )
    with fire(CALM, "rollback of a wiring"):
        ended, run = copy.fab("rollback")
        assert ended == 0, run.output
    assert running.current_release() == before
    expect_settled(running)


@pytest.mark.long
def test_a_deploy_killed_at_any_moment_is_finished_by_the_next(running, copy, tell):
    chance = random.Random(SEED)  # noqa: S311
    text = '"Posted, for the first time."'
    copy.edit(VIEW, '"Posted."', text)
    ended, run = copy.fab("deploy")
    assert ended == 0, run.output
    whole = run.lines[-1][0] - run.began
    for number in range(KILLS):
        other = f'"Posted, {number}."'
        copy.edit(VIEW, text, other)
        text = other
        began = time.monotonic()
        killed = copy.start("deploy")
        after = chance.uniform(0.5, whole)
        wait_until(
            "the moment",
            lambda: time.monotonic() - began,  # noqa: B023
            lambda passed: passed > after,  # noqa: B023
            seconds=60,
            advice=str,
        )
        killed.process.send_signal(signal.SIGKILL)
        killed.wait()
        ended, run = copy.fab("deploy")
        assert ended == 0, f"after a kill at {after:.1f} s: {run.output}"
        assert served() == dict.fromkeys(DJANGO_NODES, release_of(run)), after
        expect_settled(running)
        tell(f"killed after {after:4.1f} s ({killed.lines[-1][1] if killed.lines else '-'})")


def web_containers(running):
    """(node, container) -> state"""
    return {
        (name, c.name): c.state
        for name in TOPOLOGY.names
        for c in running.nodes[name].observe().containers.values()
        if c.service in WEB_CONTAINERS
    }


def test_ctrl_c_in_a_deploy_leaves_no_node_without_its_containers(running, copy):
    copy.edit("images/webapp_nginx/nginx.conf", "send_timeout 10s;", "send_timeout 9s;")
    before = web_containers(running)
    assert set(before.values()) == {"running"}
    run = copy.start("deploy")
    run.until(TOPOLOGY.web[0].nginx, "replace nginx")
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 130, run.output
    assert web_containers(running) == before


@pytest.mark.long
def test_an_edit_goes_live_everywhere(running, copy, tell):
    before = started(running)
    edits = {
        "style sheet": (STYLE, "", "\n.edited {}\n"),
        "template": ("django_app/templates/posts/list.html", "Your posts", "Your edited posts"),
    }
    for what, edit in edits.items():
        copy.edit(*edit)
        ended, run = copy.fab("deploy")
        assert ended == 0, run.output
        assert "where the time went: " in run.lines[-2][1]
        tell(f"{what} live after {run.lines[-1][0] - run.began:.1f} s: {run.lines[-2][1]}")
        if what == "style sheet":
            assert started(running) == before
    after = started(running)
    assert {(n, c) for n in before for c in before[n] if before[n][c] != after[n][c]} == {
        (s.django, f"django-{s.mode}-1") for s in TOPOLOGY.web
    }
    for service in TOPOLOGY.web:
        client = Client(TOPOLOGY.address(service.nginx))
        _, _, page = client.sign_in("admin", running.secrets["django_admin_password"])
        assert "Your edited posts" in page
        (style,) = style_sheets(page)
        assert ".edited" in client.get(style)[2]
