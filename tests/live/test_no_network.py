"""A bundle of the running lab, and another lab that is made of it.

That one is booted, edited and deployed to where there is no network, and nothing was made before.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lab.bundle import archive
from lab.bundle.write import node_image
from lab.config.paths import FOLDER
from tests.live.support.second_lab import cloned
from tests.live.support.sources import Copy

SUPPORT = Path(__file__).parent / "support"

pytestmark = pytest.mark.long


def builder_runs(running):
    return running.builder.attempt("systemctl", "is-active", "--quiet", "lab-builder")[0] == 0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "lab.bundle"
    subprocess.run((FOLDER / ".venv" / "bin" / "fab", "bundle", path), cwd=FOLDER, check=True)
    yield path
    path.unlink()


def test_a_bundle_has_all_that_a_lab_of_containers_takes(bundle, running):
    manifest, _ = archive.checked(bundle)
    others = {name for name in manifest.members if not name.startswith("wheels/")}
    image = f"{node_image().replace(':', '-')}.tar.gz"
    assert others == {"builder.tar.gz", "requirements.lock", image}
    assert any(name.startswith("wheels/fabric-") for name in manifest.members)
    assert builder_runs(running)


def test_a_bundle_that_is_interrupted_leaves_no_part_and_the_builder_at_work(tmp_path, running):
    run = Copy(FOLDER).start("bundle", str(tmp_path / "lab.bundle"))
    run.until("the builder's cache")
    deadline = time.monotonic() + 60
    while builder_runs(running):
        assert time.monotonic() < deadline, "the builder's Docker is not stopped"
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 130
    assert os.listdir(tmp_path) == []
    assert builder_runs(running)


@pytest.mark.skipif(os.geteuid() != 0, reason="a Docker of its own takes root")
def test_a_lab_is_booted_edited_and_deployed_to_where_there_is_no_network(bundle, tmp_path):
    clone = cloned(FOLDER, tmp_path / "clone")
    home = tmp_path / "home"
    home.mkdir()
    command = (SUPPORT / "docker-apart", tmp_path / "docker", SUPPORT / "no-network", bundle)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    choice = {"VAGRANT_DEFAULT_PROVIDER": "docker"}
    done = subprocess.run(command, cwd=clone, env=environment | choice, check=False)
    assert done.returncode == 0
