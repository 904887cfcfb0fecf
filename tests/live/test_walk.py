"""The plain walk, in a clone where nothing was run before: `vagrant up`, each node, the page.

Long: only `make test-all` boots a second lab of all its nodes.
"""

import os
import subprocess

import pytest

from lab.config import topology
from lab.config.paths import FOLDER
from lab.visitor.client import Client, wait_ready
from tests.live.support.second_lab import cloned, fab, free_subnet, vagrant

pytestmark = pytest.mark.long
NAME = f"walk-{os.getpid()}"


@pytest.fixture(scope="module")
def here():
    """Name and subnet of a lab beside this one."""
    return {"LAB_NAME": NAME, "LAB_SUBNET": free_subnet()}


@pytest.fixture(scope="module")
def clone(here, tmp_path_factory):
    folder = cloned(FOLDER, tmp_path_factory.mktemp("walk") / "clone")
    yield folder
    vagrant("destroy", "--force", folder=folder, **here)
    caches = ("docker", "volume", "rm", "--force", f"{NAME}-builder", f"{NAME}-registry")
    subprocess.run(caches, capture_output=True, check=True)


@pytest.fixture(scope="module")
def run(here, clone):
    """Runs a task; it has to end so, and returns what it says."""

    def run(*arguments, ends=0):
        ended, said = fab(*arguments, folder=clone, **here)
        assert ended == ends, said
        return said

    return run


def test_vagrant_up_and_each_node_in_turn_make_a_lab_as_one_deploy_does(here, clone, run):
    lab = topology.load(environment=here)
    first, *others = lab.web_nodes
    line = f"lab: the lab '{NAME}' is not up: run `vagrant up` or `make up`\n"
    assert run("status", ends=1) == line
    ended, said = vagrant("up", folder=clone, **here)
    assert ended == 0, said
    assert not (clone / ".lab" / "ssh_config").exists()
    assert "make the first release, and start all that it needs" in run("plan")
    said = run("-H", first, "deploy")
    assert "registry, databases and balancers are built and started first" in said
    assert f" is not on {', '.join(others)} yet: " in said
    wait_ready(lab.virtual_address)
    status, headers, _ = Client(lab.virtual_address).get("/uwsgi_health")
    assert (status, headers["X-Lab-Node"]) == (200, first)
    said = run("verify", ends=1)
    assert said.endswith("lab: verify: no release is on all web nodes yet: run `fab deploy`\n")
    for node in others:
        run("-H", node, "deploy")
    run("status")
    run("verify")
    assert [line.split()[-1] for line in run("releases").splitlines()] == ["state", "live"]
    assert "nothing to do: every node is as lab.yml and the sources say" in run("plan")
