"""Tests that act on the running lab, and leave it as they found it."""

import pytest

from lab.context import Lab
from tests.conftest import TOPOLOGY


@pytest.fixture(scope="session")
def running():
    """The lab as a task has it. Nothing is sent unless its network is this machine's neighbour."""
    lab = Lab(TOPOLOGY)
    lab.require_up()
    return lab


@pytest.fixture(scope="session")
def tell(pytestconfig):
    """Prints a figure, also of a test that passes."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(figure):
        with capture.global_and_fixture_disabled():
            print(f"\n{figure}", flush=True)

    return tell


@pytest.fixture(scope="session")
def release(running):
    return running.current_release()
