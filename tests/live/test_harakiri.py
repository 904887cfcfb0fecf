"""A request that hangs is ended, however many others end meanwhile, in every mode."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from lab.config.modes import OVERLAY
from lab.config.paths import FOLDER
from lab.engine.progress import together
from lab.visitor.client import Client
from tests.conftest import TOPOLOGY

FAB = str(Path(sys.executable).parent / "fab")
HANGS = "/admin/rehearsal/slow?seconds=60"
NODE = TOPOLOGY.web[1].nginx


def fab(*arguments):
    subprocess.run((FAB, *arguments), cwd=FOLDER, capture_output=True, check=True)


def hang(address, password):
    """Status and seconds of a request that takes a minute; the balancers' checks come meanwhile."""
    client = Client(address)
    client.sign_in("admin", password)
    began = time.monotonic()
    status, _, _ = client.get(HANGS, 90)
    return status, time.monotonic() - began


def expect_ended(running, *nodes):
    password = running.secrets["django_admin_password"]
    asked = {name: partial(hang, TOPOLOGY.address(name), password) for name in nodes}
    for name, (status, seconds) in together(asked).items():
        # nginx itself would answer 504, after 35 s.
        assert (status, 29 < seconds < 35) == (502, True), (name, status, seconds)


@pytest.mark.long
def test_a_request_that_hangs_is_ended_with_its_process(running):
    expect_ended(running, *TOPOLOGY.nginx_nodes)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["unix-socket", "all-in-one", OVERLAY])
def test_it_is_ended_in_the_other_modes_too(running, mode):
    where = () if mode == OVERLAY else ("-H", NODE)
    try:
        fab(*where, "deploy", f"--mode={mode}")
        expect_ended(running, NODE)
    finally:
        fab("deploy")


@pytest.mark.long
def test_through_the_balancer_the_client_is_answered_sooner(running):
    """After three servers of five seconds each, all of which may read it again."""
    password = running.secrets["django_admin_password"]
    status, seconds = hang(TOPOLOGY.virtual_address, password)
    assert (status, 14 < seconds < 25) == (504, True), (status, seconds)
