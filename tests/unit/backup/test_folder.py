"""In which folders a lab can be, and how SSH is told where its key is."""

import os
import shutil
import subprocess

import pytest
from paramiko import SSHConfig

from lab.config.paths import FOLDER
from lab.machines import ssh_settings
from tests.unit import ruby

REFUSED = {
    "colon": "co:lon",
    "quotes": 'with"quotes',
    "tilde": "edited~",
    "percent": "100%",
    "backslash": "back\\slash",
    "variable": "${HOME}",
    "tab": "a\tb",
    "newline": "a\nb",
    "newline at its end": "a\n",
    "Latin-1": os.fsdecode(b"caf\xe9"),
}
BORNE = "a (b)'s $HOME #é [f]{g}*;&=,!|<>`@+? "


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED)
def test_a_folder_that_not_every_tool_bears_is_refused_before_anything_is_made(tmp_path, name):
    folder = tmp_path / name
    (folder / "provision").mkdir(parents=True)
    for script in ("host.sh", "own", "provider"):
        shutil.copy2(FOLDER / "provision" / script, folder / "provision" / script)
    # Of no use, so that a check which lets the folder pass installs nothing.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$1" = -c ]\n')
    python.chmod(0o755)
    command = ("bash", "provision/host.sh", "environment")
    environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "can't hold a lab: clone into a folder whose path has no : \" ~ % \\ ${, " in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["provision"]


def test_vagrant_refuses_the_same_folders():
    program = """
    require './provision/lab'
    puts JSON.generate(given.map { |path| Lab.unbearable([path].pack('H*')) })
    """
    paths = [os.fsencode(f"/home/{name}").hex() for name in (*REFUSED.values(), BORNE)]
    *refused, borne = ruby.ask(program, paths, LC_ALL="C")
    assert all(
        " can't hold a lab: clone into a folder whose path has no " in one for one in refused
    )
    assert len(refused) == 10
    assert borne is None


@pytest.mark.skipif(ruby.RUBY is None, reason="there is no Ruby on this machine yet")
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("C", 'caf\\xC3\\xA9" in the locale of US-ASCII: set LC_ALL=C.UTF-8\n'),
        ("C.UTF-8", ""),
    ],
)
def test_a_locale_in_which_vagrant_dies_of_the_folder_s_name_is_refused(tmp_path, locale, said):
    folder = tmp_path / "café"
    shutil.copytree(FOLDER / "provision", folder / "provision")
    shutil.copy(FOLDER / "tests" / "unit" / "lab.yml", folder / "lab.yml")
    command = (ruby.RUBY, "-e", "require './provision/lab'; Lab.check_locale")
    environment = os.environ | {"LC_ALL": locale}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (bool(said), bool(said))
    assert done.stderr.endswith(said)


@pytest.mark.parametrize("quote", ["", '"'])
def test_ssh_finds_the_key_in_a_folder_of_any_name(tmp_path, quote):
    key = f"/home/{BORNE}/.lab/login_key"
    said = [
        "lab: a line of ours",
        "Host ubuntu1",
        "  HostName 192.168.56.11",
        f"  IdentityFile {quote}{key}{quote}",
        "",
    ]
    config = tmp_path / "ssh_config"
    config.write_text(ssh_settings.settings(said))
    assert config.read_text() == (
        f'Host ubuntu1\n  HostName 192.168.56.11\n  IdentityFile "{key}"\n'
    )
    assert SSHConfig.from_path(str(config)).lookup("ubuntu1")["identityfile"] == [key]
    command = ("ssh", "-G", "-F", str(config), "ubuntu1")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"identityfile {key}\n" in done.stdout
