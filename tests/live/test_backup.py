"""Backups of the running lab: what was acknowledged is in them, and what is wrong with one is said.

`make test` takes one while users write, and brings it into scratch servers; `make test-all`
restores over the lab itself, also with a restore that is killed.
"""

import gzip
import html
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from lab.backup import backup as backups
from lab.backup import dumps, folder, manifest, scratch, snapshots
from lab.backup import verify as verification
from lab.backup.verify import verify
from lab.config.paths import FOLDER
from lab.databases import mysql
from lab.databases.once import run_django
from lab.databases.roles import primary
from lab.drills import drill as drills
from lab.drills.guard import guard
from lab.drills.ledger import acknowledged
from lab.drills.load import Load
from lab.engine.progress import together
from lab.engine.ssh import wait_until
from lab.errors import LabError
from lab.plan.modes.web import DJANGO_SECRETS
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY
from tests.live.test_doctor import FAB, wait_well
from tests.unit.cli.test_commands import fab

pytestmark = pytest.mark.beside

SECONDS = 60


@pytest.fixture(scope="module")
def taken(running, tmp_path_factory):
    """A backup that was taken while users wrote; the users' load; when it began."""
    password = running.secrets["django_admin_password"]
    prefix = f"{drills.PREFIX}backup-"
    remove = drills.forgetting(running)
    where = tmp_path_factory.mktemp("backups")
    with guard(drills.DRILL_REPORTS / "guard.log") as guarding, guarding.standing(remove):
        load = Load(TOPOLOGY.virtual_address, password, prefix, lambda _: None)
        with load.running():
            wait_until(
                "some posts and accounts",
                lambda: [len(acknowledged(load.requests, kind)) for kind in ("post", "account")],
                lambda counts: min(counts) >= 10,
                seconds=SECONDS,
                advice=lambda _: "fab doctor",
            )
            began = time.monotonic()
            with running.changing("backup"):
                made = backups.backup(running, where)
        yield made, load, began, where / made.name


def promised(load, kind, began):
    """What was acknowledged before the backup began."""
    return acknowledged([one for one in load.requests if one.ended < began], kind)


def test_each_account_that_was_acknowledged_before_is_in_the_dump(taken):
    _, load, began, where = taken
    with gzip.open(where / manifest.DUMP, "rt") as lines:
        there = re.findall(rf"'({load.prefix}\d+)'", lines.read())
    assert promised(load, "account", began)
    assert promised(load, "account", began) <= set(there)


PRINT_POSTS = """
from posts import by_account, store
from posts.store import Account
cursor = None
while True:
    posts, cursor = by_account.page(Account({account}, {writer!r}), cursor)
    print(*(post.content for post in posts), sep="\\n")
    if cursor is None:
        break
store.disconnect()
"""


@pytest.fixture(scope="module")
def restored(running, release, taken, tmp_path_factory):
    """In servers that are thrown away, both at the same time: what the application reads there of
    the posts, and the differences of a dump that lacks a row."""
    lacking = shutil.copytree(taken[3], tmp_path_factory.mktemp("lacking") / taken[0].name)
    made = rewrite(lacking, without_one_account)
    with running.changing("verify-backup"):
        found = together(
            {
                "posts": lambda: posts_of_writer(running, release, taken),
                "rows": lambda: verification.differences_of_mysql(running, release, lacking, made),
            }
        )
    return found["posts"], found["rows"], made


def posts_of_writer(running, release, taken):
    made, load, _, where = taken
    query = f"SELECT id FROM djangodb.auth_user WHERE username = '{load.writer}'"  # noqa: S608
    (account,) = mysql.sql(running.nodes[primary(running)], query)
    code = PRINT_POSTS.format(writer=load.writer, account=account)
    with scratch.cassandra(running, release) as server:
        snapshots.load(running.builder, where, made, server)
        return run_django(
            running,
            release,
            *("shell", "--no-imports", "--command", code),
            secrets=DJANGO_SECRETS,
            environment=scratch.ALONE,
            network=scratch.BESIDE,
        )


def test_each_post_that_was_acknowledged_before_can_be_read_by_the_application(taken, restored):
    _, load, began, _ = taken
    (status, output), _, _ = restored
    assert status == 0, output
    there = {line.removeprefix(load.prefix) for line in output.splitlines()}
    assert promised(load, "post", began)
    assert promised(load, "post", began) <= there


def test_a_row_that_is_not_restored_is_told(restored):
    _, found, made = restored
    rows = made.tables["auth_user"].rows
    assert found == (f"MySQL: auth_user: {rows} rows in the backup, {rows - 1} restored",)


def test_a_backup_that_was_taken_while_users_wrote_is_proved(running, taken):
    with running.changing("verify-backup"):
        verify(running, taken[3])
    assert containers(running) == []


def containers(running):
    """Scratch servers that are still there."""
    found = ("docker", "ps", "--all", "--quiet", "--filter", "label=lab.scratch=yes")
    return running.builder.run(*found).split()


@pytest.fixture
def copy(taken, tmp_path):
    """A copy of the backup, to be spoilt."""
    return shutil.copytree(taken[3], tmp_path / taken[0].name)


def test_a_byte_that_flipped_is_refused_before_anything_starts(running, copy):
    path = copy / manifest.snapshot_file(TOPOLOGY.settings.cassandra[0])
    with path.open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(LabError, match="was damaged: its SHA-256 is another one: nothing was done"):
        verify(running, copy)


def test_a_backup_without_its_manifest_is_refused(running, copy):
    (copy / manifest.MANIFEST).unlink()
    with pytest.raises(LabError, match="it was not finished"):
        verify(running, copy)


def rewrite(where, change):
    """A dump with other lines, for which the manifest vouches nevertheless."""
    with gzip.open(where / manifest.DUMP, "rt") as file:
        lines = file.readlines()
    (where / manifest.DUMP).unlink()
    one = folder.Draft(where)
    with one.file(manifest.DUMP, compressed=True) as file:
        file.write("".join(change(lines)).encode())
    return vouched(where, one)


def vouched(where, one):
    kept = manifest.parse(where.name, (where / manifest.MANIFEST).read_text())
    changed = kept.model_copy(update={"files": kept.files | one.files})
    (where / manifest.MANIFEST).write_text(changed.model_dump_json())
    return changed


def without_one_account(lines):
    at = max(i for i, line in enumerate(lines) if line.startswith("INSERT INTO `auth_user`"))
    return lines[:at] + lines[at + 1 :]


@pytest.mark.long
def test_posts_that_are_not_restored_are_told(running, release, copy, taken):
    """As if the snapshots had been empty."""
    one = folder.Draft(copy)
    for node in TOPOLOGY.settings.cassandra:
        (copy / manifest.snapshot_file(node)).unlink()
        with one.file(manifest.snapshot_file(node)) as file:
            file.write(b"\0" * 10240)
    made = vouched(copy, one)
    with running.changing("verify-backup"):
        found = verification.differences_of_cassandra(running, release, copy, made)
    assert found == tuple(
        f"Cassandra: {table}: {rows} rows that were there before the backup are missing"
        for table, rows in sorted(taken[0].posts.items())
        if rows
    )


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.long)]
)
def test_a_backup_that_is_cut_off_is_none(running, number):
    """Ctrl-C leaves neither a folder nor a snapshot; after a kill the next backup removes both."""
    before = set(folder.BACKUPS.glob("*"))
    process = started("backup")
    read_until(process, "Cassandra's snapshots stand")
    os.killpg(process.pid, number)
    process.communicate(timeout=SECONDS)
    if number == signal.SIGKILL:
        assert fab("backup").returncode == 0
        (made,) = set(folder.BACKUPS.glob("*")) - before
        shutil.rmtree(made)
    assert set(folder.BACKUPS.glob("*")) == before
    for name in TOPOLOGY.settings.cassandra:
        assert snapshots_of(running, name) == ""


def snapshots_of(running, name):
    found = ("find", snapshots.DATA, "-name", snapshots.TAG)
    return running.nodes[name].run(*snapshots.INSIDE, *found)


def started(*arguments):
    # Tests that run in the background ignore Ctrl-C, and so would the task.
    return subprocess.Popen(
        ("env", "--default-signal=INT", FAB, *arguments),
        cwd=FOLDER,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def read_until(process, words):
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return
    raise AssertionError("".join(said))


# Over the lab itself.

READER, PASSWORD = "backup-reader", "read-me-9271-again"
LATER = "backup-later"


@pytest.fixture
def reader(running):
    """Somebody with three pages of posts, signed in, and a backup of that."""
    admin = Client(TOPOLOGY.virtual_address)
    admin.sign_in("admin", running.secrets["django_admin_password"])
    remove_accounts(running)
    make_account(admin, READER)
    client = Client(TOPOLOGY.virtual_address)
    client.sign_in(READER, PASSWORD)
    for number in range(45):
        assert client.post("/posts/create", {"content": f"Post {number} — ünï"})[0] == 200
    ended = fab("backup")
    assert ended.returncode == 0, ended.stderr
    name = folder.names(folder.BACKUPS)[-1]
    yield admin, client, name
    shutil.rmtree(folder.BACKUPS / name)
    remove_accounts(running)


def remove_accounts(running):
    (command,) = drills.forgetting(running)
    running.nodes[command.node].change(*command.argv[:-1], "backup-")


def make_account(admin, name):
    form = {
        "username": name,
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert admin.post("/admin/auth/user/add/", form)[0] == 200


def pages(client):
    """The texts and times of all posts, page by page."""
    found, path = [], "/posts/list"
    while path:
        status, _, page = client.get(path)
        assert status == 200, page
        found.append(re.findall(r'<time datetime="([^"]+)".*?dir="auto">(.*?)</div>', page, re.S))
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(older[1]) if older else ""
    return found


def signs_in(name, password):
    _, _, page = Client(TOPOLOGY.virtual_address).sign_in(name, password)
    return "/accounts/logout/" in page


def assert_as_backed_up(running, client, seen):
    assert pages(client) == seen, "the session of before, the pages of before"
    assert signs_in(READER, PASSWORD)
    assert not signs_in(LATER, PASSWORD)
    assert signs_in("admin", running.secrets["django_admin_password"])
    assert_servers_agree(running)
    wait_well(running)


def assert_servers_agree(running):
    executed = mysql.executed(running)
    for name in TOPOLOGY.settings.mysql:
        mysql.wait_executed(running, name, executed)
    held = [dumps.contents(running.nodes[name]) for name in TOPOLOGY.settings.mysql]
    assert all(dump.tables == held[0].tables for dump in held)
    preview = ("nodetool", "repair", "--preview", snapshots.KEYSPACE)
    node = running.nodes[TOPOLOGY.settings.cassandra[0]]
    assert "Previewed data was in sync" in node.run(*snapshots.INSIDE, *preview)


@pytest.mark.long
def test_a_restore_brings_back_accounts_sessions_and_posts(running, reader):
    admin, client, name = reader
    seen = pages(client)
    assert [len(page) for page in seen] == [20, 20, 5]
    for number in range(5):
        client.post("/posts/create", {"content": f"Later {number}"})
    make_account(admin, LATER)

    ended = fab("restore", f"--name={name}")
    (line,) = [one for one in ended.stderr.splitlines() if one.startswith("lab: ")]
    assert re.fullmatch(
        r"lab: the lab is not empty: it has \d+ accounts and \d+ posts: `--replace` removes them",
        line,
    )
    assert signs_in(LATER, PASSWORD)

    ended = fab("restore", f"--name={name}", "--replace")
    assert ended.returncode == 0, ended.stderr
    assert_as_backed_up(running, client, seen)


@pytest.mark.long
def test_what_users_wrote_into_half_a_restore_is_not_removed_unasked(running, reader):
    _, client, name = reader
    seen = pages(client)
    process = started("restore", f"--name={name}", "--replace")
    read_until(process, "begins to restore")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)
    # They remember nothing, and open the site again.
    for balancer in TOPOLOGY.settings.balancers:
        running.nodes[balancer].run("docker", "restart", "haproxy")

    ended = fab("restore", f"--name={name}")
    assert ended.returncode == 1
    assert "may have opened the site: `--replace`" in ended.stderr

    ended = fab("restore", f"--name={name}", "--replace")
    assert ended.returncode == 0, ended.stderr
    assert_as_backed_up(running, client, seen)


@pytest.mark.long
@pytest.mark.parametrize("when", ["begins to restore", "rows, as dumped", "snapshots imported"])
def test_a_restore_that_is_killed_is_ended_by_the_next(running, reader, when):
    admin, client, name = reader
    seen = pages(client)
    client.post("/posts/create", {"content": "Later"})
    make_account(admin, LATER)
    process = started("restore", f"--name={name}", "--replace")
    read_until(process, when)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)

    assert client.get("/posts/")[0] == 503
    ended = fab("init")
    assert f"a restore of backup {name} was cut off, and the data are not all there" in ended.stderr
    assert ended.returncode == 1

    ended = fab("restore", f"--name={name}")
    assert ended.returncode == 0, ended.stderr
    assert_as_backed_up(running, client, seen)
    assert fab("init").returncode == 0
