"""Posts of a release that knows accounts by name only, taken over while users go on."""

import html
import re
import shutil
import subprocess
import threading
import uuid
from contextlib import contextmanager

import pytest

from lab.backup import folder
from lab.config.paths import FOLDER
from lab.deploy.deploy import deploy
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY
from tests.live.support.fire import signed_in, under_fire
from tests.live.support.sources import Copy

# The last commit whose application keeps posts by their author's name.
BY_NAME = "d8b29bf"
POSTS, PASSWORD = 10_000, "legacy posts of before"
# Posts of a page, and pages that a reader turns before it begins again.
PAGE, PAGES = 20, 6
RATE = 10

# Run in an older release's Django: accounts and posts as it makes them, in five months.
FILL = """
import os, sys
sys.path.insert(0, "/app")
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from datetime import UTC, datetime, timedelta
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.util import uuid_from_time
from django.contrib.auth import get_user_model
from posts import ids, store
account, _ = get_user_model().objects.using("default").get_or_create(username={writer!r})
account.set_password({password!r})
account.save(using="default")
connected, now = store.connected(), datetime.now(UTC)
rows = []
for number in range({count}):
    identity = uuid_from_time(now - timedelta(seconds=60 + 1300 * number))
    rows.append(({writer!r}, ids.month_of(ids.time_of(identity)), identity, f"legacy {{number}} "))
for month in {{row[1] for row in rows}}:
    connected.session.execute(connected.insert_month, ({writer!r}, month))
done = execute_concurrent_with_args(connected.session, connected.insert_post, rows, concurrency=50)
assert all(one.success for one in done)
for number in range(3):
    store.add({ghost!r}, ids.new_id(), f"whose? {{number}}")
store.disconnect()
"""


@pytest.fixture
def older(tmp_path, running):
    """A copy with the application of before; afterwards the lab has the sources under test."""
    copy = Copy.make(tmp_path / "older")
    archive = subprocess.run(
        ("git", "archive", BY_NAME, "django_app"), cwd=FOLDER, capture_output=True, check=False
    )
    if archive.returncode != 0:
        pytest.skip(f"these sources have no history, where commit {BY_NAME} is (README.md: tests)")
    subprocess.run(("rm", "-r", copy.folder / "django_app"), check=True)
    subprocess.run(("tar", "-x"), cwd=copy.folder, input=archive.stdout, check=True)
    yield copy
    deploy(running, TOPOLOGY.web)


class Reader:
    """Turns the pages of one account again and again, whichever release answers."""

    def __init__(self, writer):
        self._writer, self.turned, self.wrong = writer, {}, []
        self._done = threading.Event()

    def _go_on(self):
        client = Client(TOPOLOGY.virtual_address)
        client.sign_in(self._writer, PASSWORD)
        while not self._done.is_set():
            self._turn(client)

    def _turn(self, client):
        path, numbers = "/posts/", []
        for _ in range(PAGES):
            try:
                status, headers, page = client.get(path)
            except OSError as error:
                self.wrong.append(f"{path}: {error}")
                return
            if status != 200:
                self.wrong.append(f"{path}: {status} by {headers['X-Lab-Release']}")
                return
            release = headers["X-Lab-Release"]
            self.turned[release] = self.turned.get(release, 0) + 1
            numbers += [int(number) for number in re.findall(r">legacy (\d+) ", page)]
            path = html.unescape(re.search(r'rel="next" href="([^"]+)"', page)[1])
        # Whoever writes meanwhile writes newer ones, of which the first page may have some.
        if numbers != list(range(len(numbers))) or len(numbers) < (PAGES - 1) * PAGE:
            self.wrong.append(f"out of order: {numbers}")

    @contextmanager
    def reading(self):
        thread = threading.Thread(target=self._go_on)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()


def listed(client):
    """All posts of who is signed in, newest first."""
    path, found = "/posts/", []
    while path:
        status, _, page = client.get(path)
        assert status == 200
        found += [html.unescape(t) for t in re.findall(r'<div class="text"[^>]*>(.*?)</div>', page)]
        link = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(link[1]) if link else ""
    return found


@pytest.mark.long
def test_ten_thousand_posts_are_taken_over_and_shown_by_both_releases(running, older, tell):
    writer, ghost = f"legacy-{uuid.uuid4().hex[:8]}", f"ghost-{uuid.uuid4().hex[:8]}"
    status, run = older.fab("deploy")
    assert status == 0, run.output
    service = TOPOLOGY.web[0]
    container = f"django-{service.mode}-1"
    program = FILL.format(writer=writer, ghost=ghost, password=PASSWORD, count=POSTS)
    fill = ("docker", "exec", "-i", container, "python", "-")
    running.nodes[service.django].feed(program, *fill)
    users = signed_in(running.secrets["django_admin_password"])
    client = Client(TOPOLOGY.virtual_address)
    client.sign_in(writer, PASSWORD)

    def under_load(what, act):
        reader = Reader(writer)
        with under_fire(users, RATE) as fire, reader.reading():
            said = act()
        tell(f"{what}: {fire}; pages turned by release: {reader.turned}")
        assert (fire.failed, reader.wrong) == ([], [])
        assert len(reader.turned) == 2, reader.turned
        return said

    def fab(*arguments):
        status, run = Copy(FOLDER).fab(*arguments)
        assert status == 0, run.output
        return run.output

    def post(text):
        status, _, page = client.post("/posts/create", {"content": text})
        assert (status, "Posted." in page) == (200, True)

    said = under_load("taking over", lambda: fab("deploy"))
    assert f"posts: of '{ghost}', which was no account's name: 3, nobody's" in said
    post("by the new release")
    under_load("back to the older release", lambda: fab("rollback"))
    assert listed(client)[0] == "by the new release"
    post("by the older release")
    there = set(folder.names(folder.BACKUPS))
    fab("backup")
    (made,) = set(folder.names(folder.BACKUPS)) - there
    try:
        under_load("taking over again", lambda: fab("deploy"))
        expected = ["by the older release", "by the new release"]
        expected += [f"legacy {number} " for number in range(POSTS)]
        assert listed(client) == expected
        fab("verify-backup", f"--name={made}")
        fab("restore", f"--name={made}", "--replace")
        assert listed(client) == expected
    finally:
        shutil.rmtree(folder.BACKUPS / made)
