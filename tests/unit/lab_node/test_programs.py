"""What a node gets of provision/node, and what its programs start with."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.config.paths import FOLDER
from lab.release.images import left_out

NODE = FOLDER / "provision/node"
PROVISIONER = FOLDER / "provision/node.sh"

# The name of a program in Python -> its module.
MODULES = {
    "lab-doctor": "doctor",
    "lab-haproxy": "haproxy",
    "lab-logs": "logs",
    "lab-observe": "observe",
    "lab-sample": "sample",
}
START = """\
#!/usr/bin/python3 -IS
import sys

sys.path.insert(0, "/usr/local/lib/lab")
from lab_node.{} import main

main()
"""
PROGRAMS = [
    *("lab-base-image", "lab-build", "lab-doctor", "lab-firewall", "lab-follow"),
    *("lab-give-address", "lab-hand-over", "lab-haproxy", "lab-import-base", "lab-limit-writes"),
    *("lab-lock", "lab-logs", "lab-names", "lab-observe", "lab-sample"),
    *("lab-small-disk", "lab-trace"),
]
INSTALLED = {
    "/usr/local/sbin": (0o755, PROGRAMS),
    "/usr/local/lib/lab/lab_node": (
        0o644,
        [
            *("__init__.py", "asking.py", "cassandra.py", "cql.py", "docker.py", "doctor.py"),
            *("haproxy.py", "health.py", "logs.py", "observe.py", "plain_http.py", "reach.py"),
            *("sample.py", "uwsgi.py"),
        ],
    ),
    "/etc/systemd/system": (
        0o644,
        [
            *("lab-builder.service", "lab-firewall.service", "lab-follow.service"),
            "lab-names.service",
        ],
    ),
    "/etc/systemd/resolved.conf.d": (0o644, ["lab.conf"]),
    "/etc/sysctl.d": (0o644, ["lab.conf"]),
}
FOLDERS = (
    *("sbin", "files", "lab_node"),
    *("etc/systemd/system", "etc/systemd/resolved.conf.d", "etc/sysctl.d"),
)
# What makes the node's image, what Docker is restarted for, and what only a host of one's own has.
APART = {"Dockerfile", "init", "packages", "daemon.json", "brought"}


@pytest.mark.parametrize("name", MODULES)
def test_a_program_in_python_is_the_start_of_its_module_and_no_more(name):
    assert (NODE / "sbin" / name).read_text() == START.format(MODULES[name])


def test_no_program_waits_for_the_import_of_types():
    imports = f"import sys, {', '.join(f'lab_node.{name}' for name in MODULES.values())}"
    loaded = "print(*{'typing'} & sys.modules.keys())"
    done = subprocess.run(
        (sys.executable, "-S", "-c", f"{imports}; {loaded}"),
        env={"PYTHONPATH": str(NODE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n"


@dataclass
class Provision:
    """Runs functions of the provisioner on a machine below a folder; returns what it then has."""

    text: str
    root: Path
    sources: Path

    def __call__(self):
        script = f"{self.text}\ninstall_files\nremove_former_programs"
        subprocess.run(("bash", "-c", script), check=True)
        return {
            f"/{path.relative_to(self.root)}": (path.stat().st_mode & 0o777, path.read_text())
            for path in self.root.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def provision(tmp_path):
    root, sources = tmp_path / "root", tmp_path / "lab-node"
    text, replaced = re.subn(
        r"(?<![\w-])(/usr/local|/etc)\b",
        lambda found: f"{root}{found[0]}",
        PROVISIONER.read_text().removesuffix("\nmain\n"),
    )
    assert replaced > 20
    text += f"\nUPLOADS={tmp_path}\n"
    for folder in ("usr/local/sbin", "etc/systemd/system", "etc/sysctl.d"):
        (root / folder).mkdir(parents=True)

    return Provision(text, root, sources)


@pytest.fixture
def machine(provision):
    provision.sources.symlink_to(NODE)
    return provision


def test_every_file_is_installed_with_its_mode(machine):
    found = machine()
    assert {path: mode for path, (mode, _) in found.items()} == {
        f"{folder}/{name}": mode for folder, (mode, names) in INSTALLED.items() for name in names
    }


def test_what_is_installed_is_all_that_there_is():
    there = {
        path.name
        for path in NODE.rglob("*")
        if path.is_file() and not left_out(path.relative_to(NODE))
    }
    assert there - APART == {name for _, names in INSTALLED.values() for name in names}


def test_again_changes_nothing(machine):
    assert machine() == machine()


def test_the_programs_of_an_earlier_version_go_and_nobody_else_s(machine):
    """As a running lab of the version before has them: all in one folder, a module among them."""
    before = {
        "usr/local/sbin/lab_docker.py": False,
        "usr/local/sbin/__pycache__/lab_docker.cpython-313.pyc": False,
        "usr/local/sbin/lab-former": False,
        "usr/local/lib/lab/lab_node/former.py": False,
        "usr/local/sbin/init": True,
        "usr/local/sbin/label": True,
        "usr/local/lib/lab/lab_node/__pycache__/cql.cpython-313.pyc": True,
        "etc/sysctl.d/other.conf": True,
    }
    for path in before:
        (machine.root / path).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / path).touch()
    machine()
    assert {path: (machine.root / path).exists() for path in before} == before


def test_caches_of_this_machine_s_python_are_not_installed(provision):
    for folder in FOLDERS:
        (provision.sources / folder).mkdir(parents=True)
        (provision.sources / folder / "lab-base-image").touch()
    (provision.sources / "lab_node" / "one.py").touch()
    (provision.sources / "lab_node" / "__pycache__").mkdir()
    (provision.sources / "lab_node" / "__pycache__" / "one.cpython-311.pyc").touch()
    (provision.sources / "sbin" / "lab-base-image").rename(provision.sources / "sbin" / "lab-x")
    assert not [path for path in provision() if "pycache" in path]


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "files"])
def test_a_folder_that_is_not_there_ends_the_provisioner(provision, folder):
    for name in FOLDERS:
        (provision.sources / name).mkdir(parents=True)
        (provision.sources / name / "lab-base-image").touch()
    (provision.sources / "lab_node" / "one.py").touch()
    for path in (provision.sources / folder).iterdir():
        path.unlink()
    with pytest.raises(subprocess.CalledProcessError):
        provision()
