"""What all tests share: the topology of the lab that LAB_NAME and LAB_SUBNET name."""

import pytest

from lab import topology

TOPOLOGY = topology.load()


@pytest.fixture(scope="session")
def lab():
    return TOPOLOGY
