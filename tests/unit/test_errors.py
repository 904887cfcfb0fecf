"""Whatever goes wrong outside the program is told in one line; its own mistakes are not hidden."""

import errno
import json
import os
import pwd
import subprocess
import sys

import paramiko
import pytest

from lab.cli import program
from lab.config.paths import FOLDER, SSH_CONFIG
from lab.engine import ssh
from lab.engine.progress import say
from lab.engine.ssh import Node, RemoteError
from lab.errors import LabError, outside, user
from tests.unit.cli.test_commands import FAB

NOBODY = pwd.getpwnam("nobody")


def system(number, name=None):
    return OSError(number, os.strerror(number), name)


def not_json():
    try:
        json.loads("<html>")
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            system(errno.ENOENT, "vagrant"),
            "vagrant: not found: run `provision/host.sh`, which installs it",
        ),
        (system(errno.ENOENT, "/lab/lab.yml"), "/lab/lab.yml: No such file or directory"),
        (
            system(errno.EACCES, "/proc/1/environ"),
            "/proc/1/environ: Permission denied: it is yours: `chmod -R u+rwX /proc/1/environ`"
            if os.geteuid() == 0
            else "/proc/1/environ: Permission denied: it belongs to root: go on as that user",
        ),
        (
            system(errno.ENOSPC, "/lab/.lab/x"),
            "/lab/.lab/x: No space left on device: free some (`df`), and run it again",
        ),
        (system(errno.ENOSPC), "No space left on device: free some (`df`), and run it again"),
        (
            system(errno.EDQUOT, b"/lab/x"),
            "/lab/x: Disk quota exceeded: free some (`df`), and run it again",
        ),
        (
            system(errno.EROFS, "/lab/.lab"),
            "/lab/.lab: Read-only file system: mount it so that it can be written to,"
            " and run it again",
        ),
        (system(errno.EPIPE), "whoever read what this prints has gone"),
        (system(errno.ECONNREFUSED), "Connection refused: `fab doctor`"),
        (system(errno.ENOTDIR, "/lab/.lab/x"), "/lab/.lab/x: Not a directory"),
        (ConnectionError("RemoteDisconnected: gone"), "RemoteDisconnected: gone: `fab doctor`"),
        (TimeoutError("timed out"), "timed out: `fab doctor`"),
        (
            not_json(),
            "'<html>': should be JSON: Expecting value: line 1 column 1 (char 0): `fab doctor`",
        ),
        (
            UnicodeDecodeError("utf-8", b"\xe4", 0, 1, "invalid start byte"),
            "not the text that was expected: 'utf-8' codec can't decode byte 0xe4 in position 0:"
            " invalid start byte: `fab doctor`",
        ),
        (
            subprocess.CalledProcessError(3, ("docker", "rm", "a b"), None, "first\nlast\n"),
            "`docker rm 'a b'` ended with 3: first | last",
        ),
        (subprocess.CalledProcessError(3, "df"), "`df` ended with 3: see above"),
        (
            subprocess.TimeoutExpired(("docker", "inspect"), 2.0),
            "`docker inspect` did not end within 2 s: run it again",
        ),
        (MemoryError(), "this machine has no memory left: end something, and run it again"),
        # Mistakes of our own.
        (AssertionError("x"), ""),
        (TypeError("x"), ""),
        (KeyError("x"), ""),
        (ValueError("x"), ""),
    ],
)
def test_what_is_told_of_what_went_wrong(error, line):
    assert outside(error) == line


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_what_another_user_keeps_names_that_user(tmp_path):
    file = tmp_path / "secret"
    file.touch()
    os.chown(file, NOBODY.pw_uid, NOBODY.pw_gid)
    told = f"{file}: Permission denied: it belongs to nobody: go on as that user"
    assert outside(system(errno.EACCES, str(file))) == told
    os.chown(tmp_path, 4242, -1)
    # What could not be made belongs to whoever has the folder.
    fresh = tmp_path / "folder" / "fresh"
    told = f"{fresh}: Permission denied: it belongs to 4242: go on as that user"
    assert outside(system(errno.EACCES, str(fresh))) == told


def test_a_user_without_a_name_has_a_number():
    assert (user(0), user(4242)) == ("root", "4242")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (LabError("no release"), 1, "lab: no release\n"),
        (KeyboardInterrupt(), 130, "lab: interrupted: run it again to go on\n"),
        (system(errno.ENOENT, "wrk"), 1, f"lab: {outside(system(errno.ENOENT, 'wrk'))}\n"),
    ],
)
def test_a_task_that_fails_ends_with_one_line(monkeypatch, capsys, error, status, line):
    def fail(_self):
        raise error

    monkeypatch.setattr(program.Program, "execute", fail)
    monkeypatch.setattr(program, "_forget_unwritten", lambda: None)
    assert program.main(["status"]) == status
    assert capsys.readouterr() == ("", line)


def test_a_mistake_of_our_own_is_not_hidden(monkeypatch):
    def fail(_self):
        raise TypeError("ours")

    monkeypatch.setattr(program.Program, "execute", fail)
    with pytest.raises(TypeError, match="ours"):
        program.main(["status"])


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ("pipe", "lab: whoever read what this prints has gone\n"),
        ("/dev/full", "lab: No space left on device: free some (`df`), and run it again\n"),
    ],
)
def test_output_that_nobody_takes_is_no_traceback(end, line):
    if end == "pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(end, os.O_WRONLY)
    ended = subprocess.run(
        (FAB, "--list"), cwd=FOLDER, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, line)


def test_errors_that_nobody_takes_end_no_work_half_way(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", buffering=1) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        say("lab", "half-way")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_a_terminal_that_lacks_a_character_gets_its_number():
    script = (
        "import sys; from lab.cli import program;"
        "program._carried_out = lambda _: (print('a \\u2192 b'), (1, 'c \\u2192 d'))[1];"
        "sys.exit(program.main([]))"
    )
    ended = subprocess.run(
        (sys.executable, "-c", script),
        cwd=FOLDER,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, b"a \\u2192 b\n")
    assert ended.stderr == b"lab: c \\u2192 d\n"


def test_the_way_to_the_nodes_that_may_not_be_read_is_named(monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(paramiko.SSHConfig, "from_path", refuse)
    with pytest.raises(RemoteError, match=f"^{SSH_CONFIG}: Permission denied: "):
        Node("ubuntu1")


@pytest.mark.parametrize(
    "damaged",
    [
        b"Match exec",
        b"Match nothing",
        b'Host "ubuntu1',
        b"Host ubuntu1\n  Port x",
        b"Host ubuntu1\n  Port",
        b"Host ubuntu1\n  \xff\xfe",
        b"\0\0\0\0",
    ],
)
def test_a_damaged_way_to_the_nodes_is_said_to_be_so(monkeypatch, tmp_path, damaged):
    config = tmp_path / "ssh_config"
    config.write_bytes(damaged)
    monkeypatch.setattr(ssh, "SSH_CONFIG", config)
    with pytest.raises(RemoteError) as told:
        Node("ubuntu1")
    assert str(told.value) == f"{config} is damaged: remove it, and it is written anew"


def test_a_key_that_may_not_be_read_is_no_node_that_does_not_answer(monkeypatch, tmp_path):
    config = tmp_path / "ssh_config"
    config.write_text("Host ubuntu1\n  HostName 127.0.0.1\n  IdentityFile /lab/login_key\n")
    monkeypatch.setattr(ssh, "SSH_CONFIG", config)
    node = Node("ubuntu1")

    def refuse():
        raise PermissionError(errno.EACCES, "Permission denied", "/lab/login_key")

    monkeypatch.setattr(node._connection, "open", refuse)
    with pytest.raises(RemoteError) as told:
        node.run("true")
    assert str(told.value).startswith(
        "ubuntu1: no way to it over SSH: /lab/login_key: Permission denied: "
    )
