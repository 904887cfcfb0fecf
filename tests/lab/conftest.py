"""Tests that act on the running lab, and leave it as they found it."""

import pytest

from lab.tasks.context import Lab
from tests.conftest import TOPOLOGY


@pytest.fixture(scope="session")
def running():
    """The lab as a task has it. Nothing is sent unless its network is this machine's neighbour."""
    lab = Lab(TOPOLOGY)
    lab.require_route()
    return lab


@pytest.fixture(scope="session")
def release(running):
    return running.current_release()
