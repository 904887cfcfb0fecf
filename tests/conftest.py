"""What all tests share: the topology of the lab that LAB_NAME and LAB_SUBNET name."""

import os

import pytest

from lab.config import topology

# What tests ask is the lab; the browser's driver and other programs that they start know no better.
for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
    del os.environ[name]

TOPOLOGY = topology.load()


@pytest.fixture(scope="session")
def lab():
    return TOPOLOGY
