"""What host.sh does for the lab's provider, on a machine of which only its programs are told."""

import hashlib
import shutil
import subprocess

import pytest

from lab.config.paths import FOLDER

TOOLS = (
    *("bash", "cat", "dirname", "env", "find", "grep", "head", "iconv", "ln", "readlink"),
    *("sed", "sh", "sha256sum", "sleep", "sort", "tail", "timeout", "uname"),
)
ALWAYS = ("vagrant", "wrk", "rsync", "ssh", "ip", "python3")
LIBVIRT = ("qemu-img", "qemu-system-x86_64", "qemu-system-aarch64")


class Machine:
    """A clone with its Python tools, and the programs that this machine has."""

    def __init__(self, path):
        self.path, self.bin = path / "clone", path / "bin"
        shutil.copytree(FOLDER / "provision", self.path / "provision")
        lock = self.path / "requirements.lock"
        lock.write_text("")
        (self.path / ".venv" / "bin").mkdir(parents=True)
        told = f"{hashlib.sha256(b'').hexdigest()}  {lock.name}\n"
        (self.path / ".venv" / "requirements").write_text(told)
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name in ALWAYS:
            self.has(name, "exit 0")

    def has(self, name, body):
        text = f'#!{shutil.which("bash")}\necho "{name} $*" >>"{self.bin}/asked"\n{body}\n'
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, provider, user=0):
        self.has("id", f"[ $1 = -u ] && echo {user} || echo someone")
        done = subprocess.run(
            (self.path / "provision" / "host.sh",),
            env={
                "PATH": str(self.bin),
                "HOME": str(self.path),
                "VAGRANT_DEFAULT_PROVIDER": provider,
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr, done.returncode

    def asked(self, program):
        lines = (self.bin / "asked").read_text().splitlines()
        return [line for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_what_libvirt_needs_is_named_and_no_docker(machine):
    said, status = machine.run("libvirt", user=1000)
    assert status == 1
    assert said.startswith("lab: missing: ")
    missing = said.removeprefix("lab: missing: ").partition(":")[0].split()
    assert {"libvirt-clients", "qemu-utils"} < set(missing)
    assert [name for name in missing if name.startswith("qemu-system")] != []
    assert [name for name in missing if "docker" in name or name == "mmdebstrap"] == []


def test_libvirt_is_started_where_it_does_not_run_and_no_docker(machine):
    for program in LIBVIRT:
        machine.has(program, "exit 0")
    runs = machine.bin / "runs"
    machine.has("virsh", f'[ -e "{runs}" ]')
    for program in ("libvirtd", "systemctl"):
        machine.has(program, f': >"{runs}"')
    machine.has("virtlogd", "exit 0")
    machine.has("docker", "exit 1")
    # Debian's plugin is a package, and there or not.
    machine.has("apt-get", "exit 0")
    machine.has("apt-cache", "echo '  Candidate: 1'")
    said, status = machine.run("libvirt")
    assert (status, said.splitlines()[-1]) == (0, "lab: starting libvirtd")
    assert runs.exists()
    assert machine.asked("docker") == []
    runs_already, status = machine.run("libvirt")
    assert (status, "starting" in runs_already) == (0, False)


def test_virtualbox_is_named_and_not_installed(machine):
    said, status = machine.run("virtualbox")
    assert (said, status) == (
        "lab: virtualbox: VBoxManage: not found: install VirtualBox 7.0 as"
        " virtualbox.org/wiki/Linux_Downloads says\n",
        1,
    )


def test_an_unknown_provider_is_refused_before_anything_is_installed(machine):
    said, status = machine.run("kvm")
    assert (said, status) == (
        "lab: VAGRANT_DEFAULT_PROVIDER: 'kvm' is no provider of this lab: docker, virtualbox or"
        " libvirt\n",
        1,
    )


def test_macos_is_refused_before_anything_of_linux_is_used(machine):
    (machine.bin / "uname").unlink()
    machine.has("uname", "[ $1 = -s ] && echo Darwin || echo 23.4.0")
    said, status = machine.run("docker")
    assert (said, status) == (
        "lab: macOS is not supported: use a Debian or Ubuntu machine, a virtual one will do\n",
        1,
    )
