"""A user sees their own writes, however far the replicas lag behind."""

import pytest

from lab.visitor.client import Client
from tests.conftest import TOPOLOGY
from tests.live.support import replicas

LOGINS = 6


@pytest.fixture
def frozen_replicas(running):
    with replicas.frozen(running):
        yield


def test_logging_in_works_while_no_replica_applies_anything(running, frozen_replicas):
    password = running.secrets["django_admin_password"]
    for _ in range(LOGINS):
        client = Client(TOPOLOGY.virtual_address)
        status, _, page = client.sign_in("admin", password)
        assert (status, "Your posts" in page) == (200, True), page[:500]
        for _ in TOPOLOGY.web:
            status, _, page = client.get("/posts/")
            assert "Your posts" in page
