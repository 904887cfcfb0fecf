"""A user sees their own writes, however far the replicas lag behind."""

import pytest

from tests.conftest import TOPOLOGY
from tests.lab.web import Client

APPLIER = "SQL_THREAD FOR CHANNEL 'group_replication_applier'"
LOGINS = 6


@pytest.fixture
def frozen_replicas(running):
    """Replicas receive what the primary wrote, and don't apply it."""
    replicas = [name for name in TOPOLOGY.settings.mysql if not _is_primary(running, name)]
    assert len(replicas) == len(TOPOLOGY.settings.mysql) - 1
    try:
        for name in replicas:
            _mysql(running, name, f"STOP REPLICA {APPLIER}")
        yield
    finally:
        for name in replicas:
            _mysql(running, name, f"START REPLICA {APPLIER}")


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
