"""A user sees their own writes, however far the replicas lag behind."""

import pytest

from lab.client import Client
from lab.remote import wait_until
from tests.conftest import TOPOLOGY

LOGINS = 6
# Nobody may write while it is held, the applier of what comes from the primary included.
HOLD = "FLUSH TABLES WITH READ LOCK; SELECT SLEEP(600) AS held_by_a_test"


@pytest.fixture
def frozen_replicas(running):
    """Replicas receive what the primary wrote, and don't apply it."""
    replicas = [name for name in TOPOLOGY.settings.mysql if not _is_primary(running, name)]
    assert len(replicas) == len(TOPOLOGY.settings.mysql) - 1
    try:
        for name in replicas:
            background = ("docker", "exec", "--detach", "mysql", "mysql", "-uroot")
            running.nodes[name].run(*background, "--execute", HOLD)
            _wait_held(running, name)
        yield
    finally:
        for name in replicas:
            for thread in _holders(running, name):
                _mysql(running, name, f"KILL {thread}")


def _wait_held(running, name):
    wait_until(
        f"{name}: a read lock",
        lambda: _holders(running, name),
        bool,
        seconds=10,
        advice=lambda _: "SHOW PROCESSLIST",
    )


def _holders(running, name):
    query = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
    return _mysql(running, name, query).split()


def _is_primary(running, name):
    return _mysql(running, name, "SELECT @@super_read_only").strip() == "0"


def _mysql(running, name, statement):
    command = ("docker", "exec", "mysql", "mysql", "-uroot", "--batch", "--skip-column-names")
    return running.nodes[name].run(*command, "--execute", statement)


def test_logging_in_works_while_no_replica_applies_anything(running, frozen_replicas):
    password = running.secrets["django_admin_password"]
    for _ in range(LOGINS):
        client = Client(TOPOLOGY.virtual_address)
        status, _, page = client.sign_in("admin", password)
        assert (status, "Your posts" in page) == (200, True), page[:500]
        for _ in TOPOLOGY.web:
            status, _, page = client.get("/posts/")
            assert "Your posts" in page
