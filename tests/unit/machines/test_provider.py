"""Which provider the lab's machines are of (provision/provider): kept, asked for, or what works."""

import os
import shutil
import subprocess

import pytest

from lab.config.paths import FOLDER

# Of the real ones only these are on its PATH.
TOOLS = [
    "awk",
    "bash",
    "cat",
    "dirname",
    "env",
    "grep",
    "head",
    "id",
    "readlink",
    "sed",
    "sort",
    "tail",
    "timeout",
    "uname",
]

NO_LIBVIRT = """
echo "error: failed to connect to the hypervisor" >&2
echo "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file" >&2
exit 1
"""
KVM = "echo 'Booting from ROM...'; echo 'No bootable device.'; echo 'Attempting a hard reboot'"
# Of a machine whose /dev/kvm is there and writable.
NO_KVM = """
echo "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H" >&2
echo "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69" >&2
echo "qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: Assertion failed." >&2
exit 134
"""
VAGRANT = """
case "$*" in
--version) echo "Vagrant VERSION" ;;
"plugin list") [ "$PWD" = / ] && echo "vagrant-libvirt (0.11.2, system)" ;;
esac
"""
PLUGIN = VAGRANT.replace("VERSION", "2.3.4")
NEWER = VAGRANT.replace("VERSION", "2.4.2")
NO_PLUGIN = '[ "$*" != --version ] || echo "Vagrant 2.3.4"'
VIRTUALBOX = """
case "$*" in
--version) echo VERSIONr155176 ;;
"list hostinfo") echo "Processor supports HW virtualization: yes" ;;
esac
"""
NO_MODULE = """
echo "WARNING: The vboxdrv kernel module is not loaded. Either there is no module"
echo "         available for the current kernel (6.1.0-18-amd64) or it failed to"
echo 7.0.20r163906
"""
SLOW = """[ "$1" = --version ] && echo 7.0.20r163906 ||
echo "Processor supports HW virtualization: no"
"""

UNAME = "case $1 in -m) echo x86_64 ;; -s) echo Linux ;; -r) echo 6.1.0 ;; esac"

DOCKER = {"docker": ":"}
LIBVIRT = DOCKER | {"virsh": ":", "qemu-system-x86_64": KVM, "vagrant": PLUGIN, "uname": UNAME}
ARM = LIBVIRT | {
    "uname": UNAME.replace("x86_64", "aarch64"),
    "qemu-system-aarch64": 'read -r asked && echo "(qemu) $asked" && echo "VM status: paused"',
}
OF_2023 = LIBVIRT | {"VBoxManage": VIRTUALBOX.replace("VERSION", "7.0.20")}
OF_2024 = LIBVIRT | {"VBoxManage": VIRTUALBOX.replace("VERSION", "7.1.4")}

NO_VIRTUALBOX = "virtualbox: VBoxManage: not found"
# (the programs that are there, the provider, what of the others is said)
WORKING = [
    (DOCKER, "docker", f"{NO_VIRTUALBOX}; libvirt: virsh: not found"),
    (LIBVIRT, "libvirt", NO_VIRTUALBOX),
    (
        LIBVIRT | {"qemu-system-x86_64": NO_KVM},
        "docker",
        f"{NO_VIRTUALBOX}; libvirt: KVM does not work here (failed to set MSR 0x10a to 0x69)",
    ),
    # It crashes at once, and qemu ends as if all were well.
    (
        LIBVIRT | {"qemu-system-x86_64": "echo SeaBIOS"},
        "docker",
        f"{NO_VIRTUALBOX}; libvirt: KVM does not work here (the smallest machine does not come up)",
    ),
    (
        LIBVIRT | {"qemu-system-x86_64": None},
        "docker",
        f"{NO_VIRTUALBOX}; libvirt: KVM does not work here (qemu-system-x86_64: not found)",
    ),
    (
        LIBVIRT | {"virsh": NO_LIBVIRT},
        "docker",
        f"{NO_VIRTUALBOX}; libvirt: libvirtd does not answer",
    ),
    (
        LIBVIRT | {"vagrant": NO_PLUGIN},
        "docker",
        f"{NO_VIRTUALBOX}; libvirt: Vagrant has no plugin vagrant-libvirt",
    ),
    (ARM, "libvirt", NO_VIRTUALBOX),
    (
        ARM | {"qemu-system-aarch64": NO_KVM.replace("x86_64", "aarch64")},
        "docker",
        f"{NO_VIRTUALBOX}; libvirt: KVM does not work here (failed to set MSR 0x10a to 0x69)",
    ),
    (OF_2023, "virtualbox", ""),
    (
        OF_2024,
        "libvirt",
        "virtualbox: VirtualBox 7.1 needs Vagrant 2.4.2 or newer, and here is 2.3.4",
    ),
    (OF_2024 | {"vagrant": NEWER}, "virtualbox", ""),
    # Vagrant is not installed yet.
    (OF_2024 | {"vagrant": None}, "virtualbox", ""),
    (
        OF_2023 | {"VBoxManage": NO_MODULE},
        "libvirt",
        "virtualbox: its kernel module is not loaded",
    ),
    (
        OF_2023 | {"VBoxManage": SLOW},
        "libvirt",
        "virtualbox: this machine has no hardware virtualization",
    ),
]


class Machine:
    """A clone, and the programs that this machine has."""

    def __init__(self, path):
        self.path, self.bin = path / "clone", path / "bin"
        (self.path / "provision").mkdir(parents=True)
        shutil.copy2(FOLDER / "provision" / "provider", self.path / "provision")
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def has(self, programs):
        for name, body in programs.items():
            if body is not None:
                (self.bin / name).unlink(missing_ok=True)
                (self.bin / name).write_text(f"#!{shutil.which('bash')}\n{body}\n")
                (self.bin / name).chmod(0o755)

    def has_machines(self, *providers):
        for provider in providers:
            file = self.path / ".vagrant" / "machines" / f"of-{provider}" / provider / "id"
            file.parent.mkdir(parents=True)
            file.write_text("1")

    def ask(self, *arguments, **environment):
        """What it prints, what it says, and how it ends."""
        done = subprocess.run(
            (self.path / "provision" / "provider", *arguments),
            env={"PATH": str(self.bin), "HOME": str(self.path), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.rstrip("\n"), done.stderr.rstrip("\n"), done.returncode


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(("programs", "provider", "others"), WORKING)
def test_a_new_lab_takes_what_works_and_says_which_and_why(machine, programs, provider, others):
    machine.has(programs)
    because = f" ({others})" if others else ""
    line = f"lab: the provider is {provider}, which works here{because};"
    line += " VAGRANT_DEFAULT_PROVIDER asks for another"
    assert machine.ask("which") == (provider, line, 0)


UNKNOWN = "'kvm' is no provider of this lab: docker, virtualbox or libvirt"
OTHER = (
    "lab: this lab's machines are of the provider docker, not libvirt: go on without asking for"
    " libvirt, remove them first (`make destroy`), or use another clone"
)
BOTH = (
    "lab: this folder has machines of libvirt and of docker: say with VAGRANT_DEFAULT_PROVIDER"
    " which to go on with"
)


@pytest.mark.parametrize(
    ("machines", "flag", "variable", "found"),
    [
        (["docker"], [], None, ("docker", "", 0)),
        (["libvirt"], [], None, ("libvirt", "", 0)),
        (["docker"], [], "docker", ("docker", "", 0)),
        (["docker"], [], "libvirt", ("", OTHER, 1)),
        (["docker"], ["libvirt"], None, ("", OTHER, 1)),
        # What is typed goes before what is set.
        (["docker"], ["docker"], "libvirt", ("docker", "", 0)),
        ([], ["virtualbox"], "libvirt", ("virtualbox", "", 0)),
        ([], [], "libvirt", ("libvirt", "", 0)),
        ([], [], "kvm", ("", f"lab: VAGRANT_DEFAULT_PROVIDER: {UNKNOWN}", 1)),
        ([], ["kvm"], None, ("", f"lab: --provider: {UNKNOWN}", 1)),
        (["docker"], ["kvm"], None, ("", f"lab: --provider: {UNKNOWN}", 1)),
        (["docker", "libvirt"], [], None, ("", BOTH, 1)),
        (["docker", "libvirt"], [], "libvirt", ("libvirt", "", 0)),
    ],
)
def test_a_lab_keeps_the_provider_of_its_machines(machine, machines, flag, variable, found):
    # All of them work: what is kept or asked for is not looked for.
    machine.has(OF_2023)
    machine.has_machines(*machines)
    environment = {"VAGRANT_DEFAULT_PROVIDER": variable} if variable else {}
    assert machine.ask("which", *flag, **environment) == found


def test_the_provider_that_the_tasks_were_told_is_kept_too(machine):
    machine.has(OF_2023)
    file = machine.path / ".lab" / "machines.json"
    file.parent.mkdir()
    file.write_text('{\n  "name": "lab",\n  "provider": "docker",\n  "made_from": null\n}\n')
    assert machine.ask("which") == ("docker", "", 0)
    assert machine.ask("which", "libvirt") == ("libvirt", "", 0)
    file.write_text("damaged")
    assert machine.ask("which")[0] == "virtualbox"


OWN = "machines: {provider: ssh}\n"


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (OWN, "ssh"),
        ("subnet: 192.168.56.0/24\nmachines:\n  provider: ssh   # in a rack\nnodes: {}\n", "ssh"),
        ('machines: { "provider": ssh}\n', "ssh"),
        ('machines: {provider: "ssh"}\n', "ssh"),
        (f"# {OWN}", "virtualbox"),
        (f"machines: {{cpus: 2}}\n# {OWN}", "virtualbox"),
        ("machines:\n  cpus: 2\nother:\n  provider: ssh\n", "virtualbox"),
        ("machines: {box: ssh}\n", "virtualbox"),
        ("machines:\n  cpus: 2\n  # provider: ssh\n", "virtualbox"),
    ],
)
def test_hosts_of_one_s_own_are_no_provider_s(machine, text, provider):
    machine.has(OF_2023)
    (machine.path / "lab.yml").write_text(text)
    assert machine.ask("which")[0] == provider


def test_hosts_that_have_the_lab_are_not_forgotten_with_lab_yml_s_word(machine):
    machine.has(OF_2023)
    file = machine.path / ".lab" / "machines.json"
    file.parent.mkdir()
    file.write_text('{\n  "name": "lab",\n  "provider": "ssh",\n  "machines": {}\n}\n')
    assert machine.ask("which") == ("ssh", "", 0)


def test_where_none_works_each_says_why(machine):
    machine.has({"docker": "exit 1", "id": "[ $1 = -un ] && echo me || echo 1000"})
    printed, said, status = machine.ask("which")
    assert (printed, status) == ("", 1)
    assert said.splitlines() == [
        "lab: virtualbox: VBoxManage: not found: install VirtualBox 7.0 as"
        " virtualbox.org/wiki/Linux_Downloads says",
        "lab: libvirt: virsh: not found: `VAGRANT_DEFAULT_PROVIDER=libvirt make up` installs"
        " libvirt",
        "lab: docker: no Docker engine answers: start Docker, or run this as root",
    ]


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("Linux 6.1.0-18-amd64", ""),
        ("Linux 5.15.153.1-microsoft-standard-WSL2", "lab: WSL is not supported: "),
        ("Linux 4.4.0-19041-Microsoft", "lab: WSL is not supported: "),
        ("Darwin 23.4.0", "lab: macOS is not supported: "),
        ("FreeBSD 14.1", "lab: FreeBSD is not supported: "),
    ],
)
def test_a_system_that_can_t_hold_a_lab_is_refused(machine, system, said):
    name, release = system.split()
    machine.has({"uname": f"case $1 in -s) echo {name} ;; -r) echo {release} ;; esac"} | DOCKER)
    way = "use a Debian or Ubuntu machine, a virtual one will do"
    wanted = (f"{said}{way}", 1) if said else ("", 0)
    assert machine.ask("bears")[1:] == wanted
    assert machine.ask("which", "docker")[2] == wanted[1]


def test_emulation_is_for_those_who_ask_for_it(machine):
    machine.has(LIBVIRT | {"qemu-system-x86_64": NO_KVM})
    assert machine.ask("works", "libvirt") == (
        "",
        "lab: libvirt: KVM does not work here (failed to set MSR 0x10a to 0x69): ask for another"
        " provider, or name a box in lab.yml (machines) whose Vagrantfile has it emulated",
        1,
    )
    assert machine.ask("works", "libvirt", "emulated") == ("", "", 0)
    machine.has({"virsh": NO_LIBVIRT})
    assert machine.ask("works", "libvirt", "emulated") == (
        "",
        "lab: libvirt: libvirtd does not answer: `VAGRANT_DEFAULT_PROVIDER=libvirt make up` starts"
        " it (error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file)",
        1,
    )


def test_this_machine_s_own_kvm_is_tried_for_less_than_half_a_minute():
    if shutil.which("qemu-system-x86_64") is None or shutil.which("virsh") is None:
        pytest.skip("no qemu, or no virsh, on this machine")
    # libvirt's own driver for tests, which needs no libvirtd.
    environment = os.environ | {"LIBVIRT_DEFAULT_URI": "test:///default"}
    command = (FOLDER / "provision" / "provider", "works", "libvirt")
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=40
    )
    works = done.returncode == 0 and done.stderr == ""
    refused = done.stderr.startswith("lab: libvirt: ") and done.stderr.count("\n") == 1
    assert works or (done.returncode == 1 and refused)
