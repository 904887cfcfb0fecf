"""What the caller has set for other programs, and who reads what ours say: on the running lab."""

import os
import subprocess

import pytest

from lab.config.paths import FOLDER
from tests.conftest import TOPOLOGY
from tests.live.support.sources import Copy
from tests.live.test_doctor import FAB
from tests.proxy import Recorder, through


@pytest.fixture
def proxy():
    return Recorder()


@pytest.fixture
def elsewhere(tmp_path, proxy):
    """The environment of somebody who works with quite other machines."""
    (tmp_path / ".fabric.yaml").write_text(
        "gateway: bastion.example\nuser: somebody\nrun: {dry: true}\n"
        "connect_kwargs: {key_filename: /nowhere/key}\n"
    )
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User somebody\n  ProxyJump bastion\n")
    (tmp_path / "provision").mkdir()
    (tmp_path / "startup.sh").write_text("echo astray; cd /\n")
    return {
        **os.environ,
        **through(proxy),
        # As curl takes it, and Python does not.
        "no_proxy": "192.168.0.0/16",
        "HOME": str(tmp_path),
        "CDPATH": str(tmp_path),
        "BASH_ENV": str(tmp_path / "startup.sh"),
        "PYTEST_ADDOPTS": "--collect-only -q",
        "PYTHONPATH": str(tmp_path),
        "PYTHONIOENCODING": "ascii",
        "FABRIC_RUN_ECHO": "1",
        "GIT_DIR": str(tmp_path),
        "RSYNC_RSH": "false",
        "DOCKER_HOST": "tcp://127.0.0.1:9",
        "SSH_AUTH_SOCK": str(tmp_path / "agent"),
        "LC_ALL": "C",
    }


def run(environment, *command, folder=FOLDER):
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("task", ["verify", "doctor", "status"])
def test_a_caller_of_other_machines_has_a_lab_like_any_other(elsewhere, proxy, task):
    status, said = run(elsewhere, FAB, task)
    assert status == 0, said
    assert proxy.asked == []
    if task == "verify":
        assert " passed in " in said


@pytest.mark.long
def test_a_good_release_is_not_put_back_because_of_a_proxy(elsewhere, proxy, tmp_path, release):
    copy = Copy.make(tmp_path / "copy")
    copy.edit("django_app/static/site.css", "", "/* behind a proxy */\n")
    try:
        status, said = run(elsewhere, FAB, "deploy", folder=copy.folder)
        assert status == 0, said
        assert proxy.asked == []
    finally:
        assert run(os.environ, FAB, "rollback", f"--to={release.name}")[0] == 0


@pytest.mark.parametrize(
    "pipe", ["releases | head -n 1", "status | true", "-H {node} logs --lines=500 | head -n 2"]
)
def test_who_reads_no_further_gets_no_traceback(pipe):
    command = f'"$0" {pipe.format(node=TOPOLOGY.names[0])}'
    status, said = run(os.environ, "sh", "-c", command, FAB)
    assert status == 0
    assert "Traceback" not in said
    assert "Exception ignored" not in said
