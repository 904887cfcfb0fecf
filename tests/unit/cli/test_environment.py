"""What the caller has set for other programs decides nothing of what ours do."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab.config.paths import FOLDER
from lab.engine import ssh
from lab.engine.ssh import Node
from lab.visitor.client import Client
from tests.proxy import Recorder, through
from tests.unit.cli.test_commands import FAB, fab

OWN = FOLDER / "provision" / "own"
HOST = FOLDER / "provision" / "host.sh"
# Each of these has broken a command of ours, or could.
DROPPED = [
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONIOENCODING",
    "PYTHONWARNINGS",
    "PYTHONOPTIMIZE",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_NO_INDEX",
    "UV_SYSTEM_PYTHON",
    "UV_PYTHON",
    "UV_OFFLINE",
    "VIRTUAL_ENV",
    "CDPATH",
    "BASH_ENV",
    "ENV",
    "POSIXLY_CORRECT",
    "GREP_OPTIONS",
    "TAR_OPTIONS",
    "GZIP",
    "XZ_OPT",
    "RSYNC_RSH",
    "RSYNC_OLD_ARGS",
    "RSYNC_PARTIAL_DIR",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_BUILDKIT",
    "DOCKER_DEFAULT_PLATFORM",
    "BUILDKIT_HOST",
    "VAGRANT_CWD",
    "VAGRANT_VAGRANTFILE",
    "VAGRANT_DOTFILE_PATH",
    "VAGRANT_LOG",
    "SSH_ASKPASS",
    "INVOKE_RUN_DRY",
    "INVOKE_DEBUG",
    "INVOKE_RUNTIME_CONFIG",
    "FABRIC_RUN_ECHO",
    "FABRIC_TASKS",
    "LANG",
    "LANGUAGE",
    "LC_MESSAGES",
    "LD_PRELOAD",
    "MYPYPATH",
    "RUFF_CONFIG",
    "PWDEBUG",
]
KEPT = [
    "HOME",
    "TERM",
    "LAB_NAME",
    "LAB_SUBNET",
    "LAB_REPLACE",
    "VAGRANT_DEFAULT_PROVIDER",
    "VAGRANT_HOME",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_CERT",
    "UV_DEFAULT_INDEX",
    "SSL_CERT_FILE",
    "NO_COLOR",
]
# Whatever the caller has.
FIXED = {
    "LC_ALL": "C.UTF-8",
    "PIP_USER": "0",
    "DOCKER_HOST": "unix:///var/run/docker.sock",
    "GIT_OPTIONAL_LOCKS": "0",
}
VALUE = "a 'b' \"c\" $d `e`\n*"


def own(*command, **environment):
    return subprocess.run(
        (OWN, *command), env=environment, capture_output=True, text=True, check=False
    )


def given(**environment):
    """The environment that a command has."""
    pairs = own("env", "--null", PATH="/usr/bin:/bin", **environment).stdout.split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def test_a_command_gets_what_is_named_and_nothing_else():
    found = given(**dict.fromkeys([*DROPPED, *KEPT, *FIXED], VALUE))
    assert {name: found[name] for name in FIXED} == FIXED
    assert {name: found.get(name) for name in KEPT} == dict.fromkeys(KEPT, VALUE)
    assert not found.keys() & set(DROPPED)


def test_programs_of_root_are_found_too():
    assert given()["PATH"] == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@pytest.mark.parametrize("options", ["nounset", "errexit", "posix", "xtrace"])
def test_a_shell_s_options_are_not_handed_on(options):
    script = f'set -o {options}; export SHELLOPTS; "$@"'
    done = subprocess.run(
        ("bash", "-c", script, "bash", OWN, "printf", "%s|", "a b", "c*", ""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "a b|c*||")


def test_a_command_s_status_is_handed_on():
    assert own("sh", "-c", "exit 7", PATH=os.environ["PATH"]).returncode == 7


MARKS = ("0<", "1>", "2>")


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_is_none_for_files_that_are_opened_later(closed, tmp_path):
    found = tmp_path / "found"
    link = "$(readlink /proc/$$/fd/{})"
    look = f'echo "{"|".join(link.format(number) for number in range(3))}" >"$0"'
    ask = ("sh", "-c", f'"$@" {closed}', "sh", OWN, "sh", "-c", look, found)
    subprocess.run(ask, stdin=subprocess.PIPE, capture_output=True, check=True)
    streams = found.read_text().strip().split("|")
    assert [one == "/dev/null" for one in streams] == [f"{mark}&-" in closed for mark in MARKS]


@pytest.fixture
def traps(tmp_path):
    """An environment in which shells go astray."""
    (tmp_path / "provision").mkdir()
    startup = tmp_path / "startup.sh"
    startup.write_text("echo astray; set -u; cd /; exit 9\n")
    return os.environ | {
        "CDPATH": str(tmp_path),
        "BASH_ENV": str(startup),
        "ENV": str(startup),
        "PIP_USER": "1",
        "POSIXLY_CORRECT": "1",
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("provision/node-digest",), None),
        ((".venv/bin/fab", "--version"), "Fabric 3.2.3\nParamiko 5.1.0\nInvoke 2.2.1\n"),
    ],
)
def test_a_shell_s_startup_and_search_path_lead_no_script_astray(traps, command, said):
    plain = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    found = subprocess.run(
        command, cwd=FOLDER, env=traps, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, plain.stdout if said is None else said)


def test_nor_the_one_that_installs(traps, tmp_path):
    """In a copy, whose tools are there already, and by a Python that makes no environment."""
    shutil.copytree(FOLDER / "provision", tmp_path / "provision", dirs_exist_ok=True)
    (tmp_path / "requirements.lock").write_text("one\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "requirements").write_text(
        "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806  requirements.lock\n"
    )
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$1" = -c ]\n')
    python.chmod(0o755)
    done = subprocess.run(
        ("provision/host.sh", "environment"),
        cwd=tmp_path,
        env=traps | {"PATH": f"{python.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / ".venv" / "bin" / "fab").readlink() == Path("../../provision/fab")


@pytest.fixture
def home(tmp_path):
    """A user whose own Fabric, Invoke and SSH are set up for other machines."""
    (tmp_path / ".fabric.yaml").write_text(
        "gateway: bastion.example\nuser: somebody\nport: 2222\nconnect_kwargs:\n"
        "  key_filename: /nowhere/key\nrun:\n  dry: true\ntasks:\n  collection_name: tasks\n"
    )
    (tmp_path / ".invoke.yaml").write_text("run: {echo: true}\n")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        "Host *\n  User somebody\n  ProxyJump bastion.example\n  IdentityFile /nowhere/key\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "spoiled",
    [
        {},
        {".fabric.yaml": "tasks: [\n"},
        {".fabric.py": "raise RuntimeError\n"},
        {".fabric.json": "{"},
    ],
)
def test_the_user_s_own_fabric_is_not_asked(home, spoiled):
    if ".fabric.yaml" not in spoiled and spoiled:
        (home / ".fabric.yaml").unlink()
    for name, text in spoiled.items():
        (home / name).write_text(text)
    ended = fab("--list", HOME=str(home), FABRIC_RUN_DRY="1", INVOKE_RUNTIME_CONFIG="/nowhere.yaml")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\n  deploy " in ended.stdout


def test_the_way_to_a_node_is_the_lab_s_own(home, monkeypatch, tmp_path):
    config = tmp_path / "ssh_config"
    config.write_text(
        "Host ubuntu1\n  HostName 192.0.2.11\n  User vagrant\n  Port 22\n"
        "  IdentityFile /lab/login_key\n"
    )
    monkeypatch.setattr(ssh, "SSH_CONFIG", config)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere/agent")
    connection = Node("ubuntu1")._connection
    assert connection.gateway is None
    assert (connection.user, connection.host, connection.port) == ("vagrant", "192.0.2.11", 22)
    assert connection.connect_kwargs["key_filename"] == ["/lab/login_key"]
    assert connection.connect_kwargs["allow_agent"] is False
    assert connection.connect_kwargs["look_for_keys"] is False


def test_fab_finds_its_clone_from_any_folder(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1"; rmdir "$1"; exec "$2" -h backups'
    for command in (
        (FAB, "-h", "backups"),
        ("sh", "-c", script, "sh", gone, FAB),
    ):
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout.splitlines()[0]) == (
            0,
            "Usage: fab [--core-opts] backups [other tasks here ...]",
        )


def test_another_fab_that_finds_the_fabfile_runs_the_lab_s():
    other = (sys.executable, "-m", "fabric", "--warn-only", "--help", "deploy")
    ended = subprocess.run(other, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("lab: --warn-only: not here: ")


def test_a_virtual_environment_without_python_is_said_to_be_so(tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copytree(FOLDER / "provision", tmp_path / "provision")
    ended = subprocess.run(
        (tmp_path / "provision" / "fab", "status"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"lab: {tmp_path}/.venv has no Python that runs:"
        f" run `{tmp_path}/provision/host.sh environment`\n"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_what_is_made_under_sudo_belongs_to_who_called_it(tmp_path):
    shutil.copytree(FOLDER / "provision", tmp_path / "provision")
    (tmp_path / "sources").touch()
    script = "umask 077; mkdir -p .lab/secrets; touch .lab/login_key .lab/secrets/one; exit 3"
    done = subprocess.run(
        (tmp_path / "provision" / "own", "sh", "-c", script),
        cwd=tmp_path,
        env=os.environ | {"SUDO_UID": "4242", "SUDO_GID": "4343"},
        check=False,
    )
    assert done.returncode == 3
    for name in (".lab", ".lab/login_key", ".lab/secrets", ".lab/secrets/one"):
        found = (tmp_path / name).stat()
        assert (found.st_uid, found.st_gid) == (4242, 4343)
        assert found.st_mode & 0o077 == 0
    assert (tmp_path / "sources").stat().st_uid == 0


@pytest.mark.parametrize("no_proxy", [None, "", "192.168.0.0/16", "localhost", "*"])
def test_the_client_asks_no_proxy(monkeypatch, no_proxy):
    site, proxy = Recorder(), Recorder()
    for name, value in through(proxy).items():
        monkeypatch.setenv(name, value)
    if no_proxy is not None:
        monkeypatch.setenv("no_proxy", no_proxy)
    assert Client(site.address).get("/posts/")[2] == "seen"
    assert Client(site.address).send("/posts/", {})[2] == "seen"
    assert (site.asked, proxy.asked) == (["/posts/", "/posts/"], [])


def test_tests_know_no_proxy(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import os\nfrom tests import conftest\n"
        "def test_it():\n    assert not [n for n in os.environ if n.lower().endswith('_proxy')]\n"
    )
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path),
        cwd=FOLDER,
        env=os.environ | {"http_proxy": "http://127.0.0.1:9", "All_Proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_ctrl_c_before_a_task_has_begun_is_no_traceback():
    process = subprocess.Popen(
        ("env", "--default-signal=INT", FAB, "logs", "--follow"),
        cwd=FOLDER,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # While Python imports: it takes a second.
    while "fabfile.py" not in Path(f"/proc/{process.pid}/cmdline").read_text():
        pass
    signal.sigtimedwait([], 0.25)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode in (130, 1)
    assert "Traceback" not in said


# A pip and a uv that are set up to install elsewhere, or nothing.
ELSEWHERE = """[global]
index-url = file://{index}
[install]
target = {elsewhere}
dry-run = true
no-binary = :all:
"""
# In place of uv: it notes how it was called, and installs what is looked for afterwards.
INSTALLER = """import sys, sysconfig
from pathlib import Path
Path({asked!r}).write_text(" ".join(sys.argv[1:]))
for name in {modules}:
    Path(sysconfig.get_path("purelib"), name + ".py").touch()
for name in {programs}:
    Path(sysconfig.get_path("scripts"), name).symlink_to("/bin/true")
"""
MODULES = ["fabric", "jinja2", "mypy", "pydantic", "pytest", "rich", "ruff", "yaml"]
PROGRAMS = ["shellcheck"]


def installed(folder, modules, programs):
    """The tools' installation in a folder of its own, and what uv was asked, if it was."""
    asked, index, elsewhere = folder / "asked", folder / "index", folder / "elsewhere"
    shutil.copytree(FOLDER / "provision", folder / "provision")
    (folder / "requirements.lock").touch()
    (index / "uv").mkdir(parents=True)
    name, about = "uv-0.13.9-py3-none-any.whl", "uv-0.13.9.dist-info"
    (index / "uv" / "index.html").write_text(f'<a href="{name}">{name}</a>')
    with zipfile.ZipFile(index / "uv" / name, "w") as wheel:
        wheel.writestr("uv/__init__.py", "")
        installer = INSTALLER.format(asked=str(asked), modules=modules, programs=programs)
        wheel.writestr("uv/__main__.py", installer)
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 0.13.9\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    settings = folder / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(ELSEWHERE.format(index=index, elsewhere=elsewhere))
    done = subprocess.run(
        ("provision/host.sh", "environment"),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not elsewhere.exists()
    return done, asked.read_text() if asked.exists() else ""


def test_the_user_s_own_pip_says_whence_and_nothing_else(tmp_path):
    done, asked = installed(tmp_path, MODULES, PROGRAMS)
    assert (done.returncode, done.stderr) == (0, "")
    assert asked == (
        "--no-config pip install --quiet --python .venv --require-hashes"
        " --requirement requirements.lock"
    )
    assert (tmp_path / ".venv" / "requirements").exists()


@pytest.mark.parametrize(
    ("modules", "programs", "said"),
    [
        (MODULES[:-1], PROGRAMS, "ModuleNotFoundError: No module named 'yaml'"),
        (MODULES, [], ".venv/bin/shellcheck: No such file or directory"),
    ],
)
def test_tools_that_are_not_there_are_not_noted_as_installed(tmp_path, modules, programs, said):
    done, _ = installed(tmp_path, modules, programs)
    assert done.returncode == 1
    assert done.stderr.startswith("lab: uv installed the Python tools, and not into .venv (")
    assert done.stderr.endswith(
        f"{said}): look for settings of uv in the environment, and run"
        " `provision/host.sh environment` again\n"
    )
    assert not (tmp_path / ".venv" / "requirements").exists()
