"""What belongs to an account follows it, and what its owner chose stays."""

import re
import secrets
import subprocess
import time
import uuid

import pytest

from lab.config.paths import FOLDER
from lab.engine.progress import together
from lab.engine.ssh import wait_until
from lab.visitor.client import Client, hidden
from tests.conftest import TOPOLOGY
from tests.live.support.accounts import make_account, remove
from tests.live.support.sources import Copy

MINUTE = 60
STYLE = "django_app/static/site.css"
POSTS_OF = """
import os, sys
sys.path.insert(0, "/app")
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from posts import store
session = store.connected().session
for table, key in (("posts_of_accounts", "written_as"), ("posts", "username")):
    query = f"SELECT {{key}} FROM {{table}} WHERE {{key}} = %s ALLOW FILTERING"
    rows = session.execute(query, ({name!r},))
    print(table, len(list(rows)))
store.disconnect()
"""


@pytest.fixture
def admin(running):
    client = Client(TOPOLOGY.virtual_address)
    client.sign_in("admin", running.secrets["django_admin_password"])
    return client


def signed_in(name, password):
    client = Client(TOPOLOGY.virtual_address)
    _, _, page = client.sign_in(name, password)
    assert "Your posts" in page
    return client


def posts_of(running, name):
    service = TOPOLOGY.web[0]
    inside = ("docker", "exec", "-i", f"django-{service.mode}-1", "python", "-")
    output = running.nodes[service.django].feed(POSTS_OF.format(name=name), *inside)
    return dict(line.split() for line in output.splitlines() if line.startswith("posts"))


def wait_gone(running, name):
    wait_until(
        f"the posts of {name} to be gone",
        lambda: posts_of(running, name),
        lambda found: found == {"posts_of_accounts": "0", "posts": "0"},
        seconds=MINUTE,
        advice=lambda _: "`fab logs --service=django`",
    )


@pytest.mark.beside
def test_who_gets_a_name_gets_no_posts_and_a_removed_account_s_go(running, admin):
    name, password = f"before-{uuid.uuid4().hex[:8]}", secrets.token_urlsafe()
    number = make_account(admin, name, password)
    client = signed_in(name, password)
    client.post("/posts/create", {"content": "mine, whatever my name is"})
    path = f"/admin/auth/user/{number}/change/"
    status, _, page = admin.get(path)
    fields = dict(re.findall(r'name="(date_joined_\d|last_login_\d)" value="([^"]*)"', page))
    changed = {**hidden(page), **fields, "username": f"after-{name}", "is_active": "on"}
    status, _, page = admin.send(path, changed)
    assert (status, "was changed successfully" in page) == (200, True)
    assert "mine, whatever my name is" in client.get("/posts/")[2]
    later = make_account(admin, name, password)
    assert "written anything yet" in signed_in(name, password).get("/posts/")[2]
    remove(admin, number)
    wait_gone(running, name)
    assert client.get("/posts/")[2].count("Sign in") > 0
    remove(admin, later)


@pytest.mark.long
def test_an_account_that_is_removed_while_cassandra_is_away_loses_its_posts_after(running, admin):
    name, password = f"away-{uuid.uuid4().hex[:8]}", secrets.token_urlsafe()
    number = make_account(admin, name, password)
    signed_in(name, password).post("/posts/create", {"content": "to be removed"})
    ring = TOPOLOGY.settings.cassandra

    def on_ring(*command):
        together({n: lambda n=n: running.nodes[n].change(*command) for n in ring})

    on_ring("docker", "stop", "cassandra")
    try:
        remove(admin, number)
    finally:
        on_ring("docker", "start", "cassandra")
    wait_until(
        "posts to be readable",
        lambda: admin.get("/posts/")[0],
        lambda status: status == 200,
        seconds=3 * MINUTE,
        advice=lambda _: "`fab doctor`",
    )
    wait_gone(running, name)


def test_a_password_that_was_changed_in_the_browser_stays_and_stops_no_deploy(
    running, admin, tmp_path
):
    chosen = secrets.token_urlsafe()
    file = running.secrets["django_admin_password"]
    passwords = {"new_password1": chosen, "new_password2": chosen}
    status, _, page = admin.post("/admin/password_change/", {"old_password": file, **passwords})
    assert (status, "was changed" in page) == (200, True)
    copy = Copy.make(tmp_path / "copy")
    try:
        copy.edit(STYLE, "", f"/* {time.time()} */\n")
        status, run = copy.fab("deploy")
        assert status == 0, run.output
        status, run = copy.fab("init")
        assert (status, "administrator admin: was there" in run.output) == (0, True)
        signed_in("admin", chosen)
        _, run = copy.fab("status")
        assert "admin has another password than the one in .lab/secrets/" in run.output
    finally:
        status, run = copy.fab("init", "--reset-password")
        subprocess.run((FOLDER / ".venv/bin/fab", "deploy"), cwd=FOLDER, check=True)
    assert status == 0, run.output
    signed_in("admin", file)
    _, run = copy.fab("status")
    assert "another password" not in run.output
