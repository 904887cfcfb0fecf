"""Plain hosts made by hand: containers with systemd, sshd and sudo, and a clone whose lab.yml names
them. They know nothing of Vagrant and of the lab."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab.config.paths import FOLDER
from tests.unit.hosts.own_lab import own_lab

HERE = Path(__file__).parent
IMAGE, NETWORK, SUBNET = "hosts-plain", "hosts-net", "192.168.83"
# In this order ubuntu1 to ubuntu4. A host keeps the name that it has.
HOSTS = {"hosts-1": 11, "hosts-2": 12, "hosts-3": 13, "hosts-4": 14}
NODES = dict(zip(("ubuntu1", "ubuntu2", "ubuntu3", "ubuntu4"), HOSTS, strict=True))
# As the image has it.
PASSWORD = "correct-horse"  # noqa: S105 known to everybody
STATE = FOLDER / ".lab" / "hosts"
CLONE, HOME = STATE / "clone", STATE / "home"
KEY = HOME / ".ssh" / "id_ed25519"
FAB = str(FOLDER / ".venv" / "bin" / "fab")
# Seconds that anything may take.
LONGEST = 1800


def run(*command, check=True, given=None):
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, input=given, timeout=LONGEST
    )
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def on(host, script):
    """What a shell prints on a host, without SSH."""
    return run("docker", "exec", "-i", host, "bash", "-s", given=script)


def snapshot(host):
    """What a host has, line by line."""
    return on(host, (HERE / "snapshot.sh").read_text()).splitlines()


def privileges():
    """As the lab gives them to its own nodes; where a machine allows it, --privileged would do."""
    names = re.search(
        r"CAPABILITIES = %w\[(.*?)\]", (FOLDER / "provision" / "lab.rb").read_text(), re.DOTALL
    )
    given = [option for name in names[1].split() for option in ("--cap-add", name)]
    for profile in ("seccomp", "systempaths", "apparmor"):
        given += ["--security-opt", f"{profile}=unconfined"]
    return given


def make():
    """Four hosts, whose keys this user has accepted, and the clone."""
    remove()
    HOME.joinpath(".ssh").mkdir(parents=True, mode=0o700)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(KEY))
    run("docker", "build", "--quiet", "--tag", IMAGE, str(HERE / "image"))
    gateway = ("--subnet", f"{SUBNET}.0/24", "--gateway", f"{SUBNET}.1")
    run("docker", "network", "create", *gateway, NETWORK)
    for host, number in HOSTS.items():
        run(
            *("docker", "run", "--detach", "--name", host, "--hostname", host),
            *("--network", NETWORK, "--ip", f"{SUBNET}.{number}", *privileges()),
            *("--cgroupns=private", "--tmpfs", "/run", "--tmpfs", "/run/lock"),
            *("--volume", f"{KEY}.pub:/etc/ssh/admin_key.pub:ro", IMAGE),
        )
    for host in HOSTS:
        wait_until_up(host)
    copy_folder()
    for host in HOSTS:
        accept(host)


def wait_until_up(host):
    deadline = time.monotonic() + 60
    while "running" not in run(
        "docker", "exec", host, "systemctl", "is-system-running", check=False
    ):
        assert time.monotonic() < deadline, f"{host} does not come up"
        time.sleep(1)


def accept(host):
    """As a person does who has compared it: the key as the host itself has it."""
    key = on(host, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    with (HOME / ".ssh" / "known_hosts").open("a") as file:
        file.write(f"{SUBNET}.{HOSTS[host]} {key}")


def copy_folder():
    """As a clone has it, edits that are not committed too; lab.yml names the hosts."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = subprocess.run(listing, cwd=FOLDER, stdout=subprocess.PIPE, check=True).stdout
    CLONE.mkdir(parents=True)
    copying = ("rsync", "--archive", "--from0", "--files-from=-", "--ignore-missing-args")
    subprocess.run((*copying, f"{FOLDER}/", f"{CLONE}/"), input=files, check=True)
    (CLONE / ".venv").symlink_to(FOLDER / ".venv")
    write_lab()


def write_lab(*replaced):
    """lab.yml of the clone, with pairs of what is written otherwise."""
    text = own_lab((FOLDER / "tests" / "unit" / "lab.yml").read_text(), SUBNET, f", key: {KEY}")
    text = text.replace("192.168.56.0/24", f"{SUBNET}.0/24")
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    (CLONE / "lab.yml").write_text(text)


def fab(*arguments, home=HOME, until=None):
    """Exit status, what it says, how often it asked for a password; at a terminal of its own.

    until: what it is killed after.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "dumb",
        "LAB_NAME": "hosts",
    }
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(CLONE)
        os.execve(FAB, (FAB, *arguments), environment)  # noqa: S606 no shell is meant
    said, asked = b"", 0
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 5)
        if not ready:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
        if until and until.encode() in said:
            os.killpg(process, signal.SIGKILL)
        if said.count(b"Password of sudo on ") > asked:
            asked += 1
            # Once the terminal no longer shows what is typed.
            time.sleep(1)
            os.write(terminal, f"{PASSWORD}\n".encode())
    _, status = os.waitpid(process, 0)
    text = said.decode(errors="replace").replace("\r\n", "\n")
    assert PASSWORD not in text
    return os.waitstatus_to_exitcode(status), text, asked


def remove():
    """All that make made."""
    run("docker", "rm", "--force", "--volumes", *HOSTS, check=False)
    run("docker", "network", "rm", NETWORK, check=False)
    shutil.rmtree(STATE, ignore_errors=True)
