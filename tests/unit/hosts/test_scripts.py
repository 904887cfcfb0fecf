"""What is sent to a host: how its Docker is asked, what comes along, and who takes it away."""

import io
import os
import subprocess
import tarfile
from dataclasses import replace

import pytest

from lab.config import topology
from lab.config.paths import FOLDER
from lab.hosts import bring, kept
from lab.hosts.facts import Owner
from tests.unit.delivered import TEXT
from tests.unit.hosts.own_lab import own_lab
from tests.unit.hosts.test_facts import FACTS

SCRIPTS = FOLDER / "provision" / "hosts"


class Host:
    """Runs a script with programs of its own, on folders of its own."""

    def __init__(self, root):
        self.root, self.bin = root, root / "bin"
        self.bin.mkdir()

    def has(self, **programs):
        for name, text in programs.items():
            path = self.bin / name
            path.write_text(f"#!/bin/bash\n{text}\n")
            path.chmod(0o755)

    def run(self, script, *arguments, call=None):
        text = (SCRIPTS / script).read_text()
        for folder in ("/var/lib/", "/run/lock/"):
            text = text.replace(folder, f"{self.root}{folder}")
        if call:
            text = text.removesuffix('\nmain "$@"\n') + f"\n{call}\n"
        return subprocess.run(
            ("bash", "-c", text, script, *arguments),
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )


@pytest.fixture
def host(tmp_path):
    for folder in ("var/lib", "run/lock"):
        (tmp_path / folder).mkdir(parents=True)
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("docker", "status", "told"),
    [
        ('[ "$1" != ps ] || echo container web', 0, "container web\n"),
        ("exit 0", 0, ""),
        ('[ "$1" != image ]', 1, ""),
    ],
    ids=["used", "unused", "it fails"],
)
def test_a_docker_that_runs_tells_what_it_has_or_fails(host, docker, status, told):
    data = host.root / "var/lib/docker/overlay2"
    data.mkdir(parents=True)
    host.has(systemctl="exit 0", docker=docker, ctr="exit 0")
    done = host.run("docker.sh")
    assert (done.returncode, done.stdout) == (status, told)


def test_others_in_the_same_containerd_are_told(host):
    host.has(
        systemctl="exit 0",
        docker="exit 0",
        ctr="""case "$*" in
"namespaces list --quiet") printf 'empty\\nk8s.io\\nmoby\\n' ;;
*"k8s.io containers list"* | *"moby containers list"*) echo c1 ;;
esac""",
    )
    assert host.run("docker.sh").stdout == "namespace k8s.io of containerd\n"


@pytest.mark.parametrize("there", ["docker", "containerd", None])
def test_of_a_docker_that_does_not_run_the_data_is_told(host, there):
    (host.root / "var/lib/docker").mkdir()
    if there:
        (host.root / "var/lib" / there / "volumes").mkdir(parents=True)
    # Not installed, stopped, or waiting for its socket.
    host.has(systemctl="exit 3")
    done = host.run("docker.sh")
    told = f"data {host.root}/var/lib/{there}\n" if there else ""
    assert (done.returncode, done.stdout) == (0, told)


@pytest.mark.parametrize(
    ("has", "told"),
    [
        (["brought.partial"], "== begun\nbegun\n== paths\n"),
        (["brought"], "== begun\n== paths\nROOT/var/lib/lab\n"),
        (["brought.partial", "theirs"], "== begun\n== paths\nROOT/var/lib/lab\n"),
        ([], "== begun\n== paths\n"),
    ],
)
def test_an_account_that_was_cut_off_is_in_nobody_s_way(host, has, told):
    for name in has:
        (host.root / "var/lib/lab" / name).mkdir(parents=True)
    call = f'part begun told_begun; part paths there "{host.root}/var/lib/lab"'
    found = host.run("look.sh", call=call).stdout
    assert found == told.replace("ROOT", str(host.root))


def test_of_a_lab_that_was_about_to_come_nothing_is_left(host):
    (host.root / "var/lib/lab/brought.partial/files").mkdir(parents=True)
    done = host.run("remove.sh", "", "", "", "")
    assert (done.returncode, done.stdout) == (0, "lab: is as it was\n")
    assert not list((host.root / "var/lib").iterdir())
    assert not list((host.root / "run/lock").iterdir())


def test_what_lies_on_the_host_takes_the_lab_away_and_is_told_whose(host):
    account = host.root / "var/lib/lab/brought"
    account.mkdir(parents=True)
    (account / "brought").write_text('printf "<%s>" "$@"\n')
    done = host.run("remove.sh", "lab", "/a folder", "desk (1)", "2026")
    assert done.stdout == "<remove><lab></a folder><desk (1)><2026>"


def test_authorities_are_given_names_of_the_lab_s_own(monkeypatch, tmp_path):
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities" / "of a company.crt").write_text("x")
    (tmp_path / "login_key.pub").write_text("x")
    monkeypatch.setattr(bring, "AUTHORITIES", str(tmp_path / "authorities"))
    monkeypatch.setattr(kept, "KEY", tmp_path / "login_key")
    with tarfile.open(fileobj=io.BytesIO(bring._archive())) as archive:
        names = [name for name in archive.getnames() if "authorities" in name]
    assert names == ["lab-authorities/lab-of a company.crt"]


def test_the_machine_is_known_by_more_than_its_name(monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "gethostname", lambda: "desk")
    monkeypatch.setattr(kept, "MACHINE_ID", tmp_path / "machine-id")
    seen = {kept.machine()}
    for number in ("3d1219c7c4c5404aaa1f6d2a48adfda4\n", "c7c4c5404aaa1f6d2a48adfda43d1219\n"):
        (tmp_path / "machine-id").write_text(number)
        assert kept.machine() == kept.machine()
        assert number.strip() not in kept.machine()
        seen.add(kept.machine())
    assert len(seen) == 3


def test_a_clone_without_a_lab_has_no_hosts(monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "KEY", tmp_path / "login_key")
    own = kept.itself(topology.load(own_lab(TEXT), {}))
    original = tmp_path / "original"
    (original / ".lab").mkdir(parents=True)
    (original / ".lab" / "login_key").write_text("x")
    owner = Owner("lab", str(original), kept.machine(), "AAAAtheirs", "")
    seen = kept.as_seen_here(replace(FACTS, owner=owner))
    assert own.key == ""
    assert not own.has(seen.owner)
