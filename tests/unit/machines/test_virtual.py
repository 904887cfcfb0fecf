"""Virtual machines: what is asked of them and refused before anything is made."""

import json
import os
import shutil
import subprocess

import pytest

from lab.config.paths import FOLDER
from tests.unit import ruby

# As libvirt 9.0 prints it.
DOMINFO = """Id:             1
Name:           lab-one
UUID:           6695eb01-f6a4-8304-79aa-97f2502e193f
OS Type:        hvm
State:          running
CPU(s):         2
CPU time:       93.2s
Max memory:     2097152 KiB
Used memory:    2097152 KiB
Persistent:     yes
"""
VMINFO = """name="lab-one"
groups="/"
ostype="Ubuntu (64-bit)"
memory=2048
cpus=2
VMState="running"
"""
NETWORK = """<network>
  <name>NAME</name>
  <bridge name='virbr1' stp='on' delay='0'/>
  <ip address='ADDRESS' netmask='255.255.255.0'>
  </ip>
</network>
"""

SETTINGS = """
subnet: 10.77.77.0/24
builder: one
nodes:
  one: {host: 11, memory: 2048}
  two: {host: 12, memory: 1024}
"""
ONE = {
    "name": "lab-one",
    "address": "10.77.77.11",
    "memory": 2048,
    "cpus": 2,
    "box": "somebody/debian 1.2",
    "volumes": [],
}
TWO = ONE | {"name": "lab-two", "address": "10.77.77.12", "memory": 1024}


def resized(node, found, wanted):
    return (
        f"{node} runs with {found}, and lab.yml says {wanted}: `vagrant reload {node}`, then"
        " `make up`. One node at a time"
    )


ANEW = (
    "two was made with another box than is wanted now: `vagrant destroy -f two`, then `make up`;"
    " what it holds of the databases comes back from the other nodes. One node at a time"
)

# (what the machines that are there were made with, what Vagrant says, or None)
REFUSALS = [
    ({"one": ONE, "two": TWO}, None),
    (
        {"one": ONE, "two": TWO | {"memory": 2048}},
        resized("two", "2048 MiB of memory", "1024 MiB of memory"),
    ),
    (
        {"one": ONE | {"memory": 1024, "cpus": 1}, "two": TWO | {"cpus": 1}},
        resized("one", "1024 MiB of memory and 1 cores", "2048 MiB of memory and 2 cores"),
    ),
    ({"one": ONE, "two": TWO | {"box": "somebody/debian 1.1"}}, ANEW),
    # What takes more goes first.
    ({"one": ONE | {"cpus": 1}, "two": TWO | {"box": "somebody/debian 1.1"}}, ANEW),
    ({"two": TWO | {"cpus": 1}}, None),
]


def test_a_machine_of_another_size_is_not_passed_over():
    found = ruby.refusals({"one": ONE, "two": TWO}, [machines for machines, _ in REFUSALS])
    assert found == [line for _, line in REFUSALS]


def test_what_the_providers_tell_of_a_machine_is_read():
    program = """
    require './provision/virtual'
    domains, vms = given
    found = domains.map { |text| Virtual.domain(text) } + vms.map { |text| Virtual.vm(text) }
    puts JSON.generate(found)
    """
    halted = DOMINFO.replace("running", "shut off")
    paused = DOMINFO.replace("running", "paused")
    off = VMINFO.replace("running", "poweroff")
    running = {"name": "lab-one", "memory": 2048, "cpus": 2, "running": True}
    standing = running | {"running": False}
    assert ruby.ask(program, [[DOMINFO, halted, paused], [VMINFO, off]]) == [
        running,
        standing,
        running,
        running,
        standing,
    ]


def test_a_halted_machine_takes_the_wanted_size_and_keeps_its_box_and_address():
    program = """
    require './provision/virtual'
    puts JSON.generate(given.map { |arguments| Virtual.made(*arguments) })
    """
    running = {"name": "lab-one", "memory": 512, "cpus": 1, "running": True}
    halted = running | {"running": False}
    box = {"name": "somebody/debian", "version": "1.1", "provider": "libvirt"}
    open_version = ONE | {"box": "somebody/debian"}
    found = ruby.ask(
        program,
        [
            [running, box, {"address": "10.1.1.11", "memory": 9}, ONE],
            [halted, box, {}, ONE],
            [halted, None, {}, ONE],
            [halted, box, {}, open_version],
        ],
    )
    old = {"box": "somebody/debian 1.1"}
    assert found == [
        ONE | old | {"memory": 512, "cpus": 1, "address": "10.1.1.11"},
        ONE | old,
        ONE,
        open_version,
    ]


def test_a_box_is_pinned_or_lab_yml_s():
    program = """
    require './provision/virtual'
    puts JSON.generate(given.map { |arguments| Virtual.box(*arguments)&.to_a })
    """
    own = {"box": "debian-13", "cpus": 4}
    asked = [
        ({}, "virtualbox", "amd64"),
        ({"cpus": 4}, "libvirt", "amd64"),
        ({"version": "202502.21.0"}, "libvirt", "amd64"),
        ({}, "libvirt", "arm64"),
        ({}, "virtualbox", "arm64"),
        (own, "libvirt", "amd64"),
        (own | {"version": "0"}, "virtualbox", "arm64"),
    ]
    assert ruby.ask(program, asked) == [
        ["bento/ubuntu-24.04", "202510.26.0", "amd64"],
        ["bento/ubuntu-24.04", "202508.03.0", "amd64"],
        ["bento/ubuntu-24.04", "202502.21.0", "amd64"],
        ["cloud-image/ubuntu-24.04", "20250805.0.0", "arm64"],
        None,
        ["debian-13", None, None],
        ["debian-13", "0", None],
    ]


@pytest.mark.parametrize(
    ("subnet", "text", "wanted"),
    [
        ("192.168.56.0/24", None, True),
        ("192.168.63.0/24", None, True),
        ("192.168.64.0/24", None, False),
        ("10.77.77.0/24", None, False),
        ("10.77.77.0/24", "# * 0.0.0.0/0\n* 192.168.0.0/16 10.0.0.0/8\n* 2001::/64\n", True),
        # What its file leaves out is not allowed any more.
        ("192.168.56.0/24", "* 10.0.0.0/8\n", False),
        ("192.168.56.0/24", "", False),
    ],
)
def test_virtualbox_makes_host_only_networks_in_some_ranges(subnet, text, wanted):
    program = "require './provision/virtual'; puts JSON.generate(Virtual.host_only?(*given))"
    assert ruby.ask(program, [subnet, text]) == wanted


# Answers of what is asked; all else fails, and says so.
VIRSH = """#!/bin/sh
here=$(dirname "$0")
shift 2
echo "virsh $*" >>"$here/asked"
case "$*" in
uri) echo qemu:///system ;;
"list --all --uuid --name") cat "$here/domains" ;;
"net-list --all --name") ls "$here/networks" ;;
net-dumpxml*) cat "$here/networks/$2" ;;
dominfo*) cat "$here/domain-$2" ;;
*) exit 1 ;;
esac
"""
NO_BOX = """The box 'somebody/debian' could not be found or
could not be accessed in the remote catalog. If this is a private
box on HashiCorp's Vagrant Cloud, please verify you're logged in.

URL: ["https://vagrantcloud.com/somebody/debian"]
Error: Could not resolve host: vagrantcloud.com"""
VAGRANT = f"""#!/bin/sh
echo "vagrant $*" >>"$(dirname "$0")/asked"
case "$*" in
"plugin list") echo "vagrant-libvirt (0.11.2, system)" ;;
*) cat >&2 <<'END'
{NO_BOX}
END
exit 1 ;;
esac
"""
# A KVM that does not work.
QEMU = (
    "#!/bin/sh\necho 'qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69' >&2\nexit 134\n"
)
MACHINES = 'machines: {box: "somebody/debian", version: "1.2"}\n'
ID = "6695eb01-f6a4-8304-79aa-97f2502e193f"


class Folder:
    """A lab's folder, and a libvirt that only tells."""

    def __init__(self, path):
        self.path, self.bin, self.boxes = path / "lab", path / "bin", path / "vagrant"
        shutil.copytree(FOLDER / "provision", self.path / "provision")
        (self.bin / "networks").mkdir(parents=True)
        (self.bin / "domains").write_text("")
        self.settings(SETTINGS + MACHINES)
        programs = {"virsh": VIRSH, "vagrant": VAGRANT, "qemu-system-x86_64": QEMU}
        programs |= {"ip": "#!/bin/sh\n", "docker": "#!/bin/sh\nexit 1\n"}
        for name, text in programs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        digest = self.path / "provision" / "node-digest"
        digest.write_text("#!/bin/sh\necho TAG\n")

    def settings(self, text):
        (self.path / "lab.yml").write_text(text)

    def has_box(self):
        box = self.boxes / "boxes" / "somebody-VAGRANTSLASH-debian" / "1.2" / "libvirt"
        box.mkdir(parents=True)
        (box / "metadata.json").write_text("{}")

    def has_network(self, name, address):
        text = NETWORK.replace("NAME", name).replace("ADDRESS", address)
        (self.bin / "networks" / name).write_text(text)

    def has_machine(self, node, identity, dominfo):
        self.has_domain(f"lab-{node}", identity)
        (self.bin / f"domain-{identity}").write_text(dominfo)
        file = self.path / ".vagrant" / "machines" / node / "libvirt" / "id"
        file.parent.mkdir(parents=True)
        file.write_text(identity)
        (file.parent / "box_meta").write_text('{"name": "somebody/debian", "version": "1.2"}')

    def has_container(self, node):
        file = self.path / ".vagrant" / "machines" / node / "docker" / "id"
        file.parent.mkdir(parents=True)
        file.write_text("1")

    def has_domain(self, name, identity):
        with (self.bin / "domains").open("a") as file:
            file.write(f"{identity} {name}\n")

    def up(self, *arguments, **more):
        """What `vagrant up` says before it does so."""
        arguments = json.dumps(["up", *arguments])
        conf = str(self.bin / "networks.conf")
        program = f"""
        ARGV.replace({arguments})
        require './provision/lab'
        Lab.send(:remove_const, :NETWORKS_CONF)
        Lab::NETWORKS_CONF = {conf!r}
        Lab.check('up')
        """
        done = subprocess.run(
            (ruby.RUBY, "-e", program),
            cwd=self.path,
            env=os.environ
            | {
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "VAGRANT_DEFAULT_PROVIDER": "libvirt",
                "VAGRANT_HOME": str(self.boxes),
                "LAB_NAME": "lab",
                "LAB_SUBNET": "10.77.77.0/24",
                **more,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stderr.rstrip("\n")
        assert (done.returncode == 0) == (said == ""), said
        return said

    @property
    def written(self):
        file = self.path / ".lab" / "machines.json"
        return json.loads(file.read_text()) if file.exists() else None


@pytest.fixture
def folder(tmp_path):
    if ruby.RUBY is None:
        pytest.skip("there is no Ruby on this machine yet: `make up` installs Vagrant")
    found = Folder(tmp_path)
    found.has_box()
    return found


def test_virtual_machines_are_written_as_they_will_be_made(folder):
    folder.has_network("default", "192.168.122.1")
    assert folder.up() == ""
    assert folder.written == {
        "name": "lab",
        "provider": "libvirt",
        "made_from": {
            "subnet": "10.77.77.0/24",
            "builder": "one",
            "nodes": {"one": {"host": 11, "memory": 2048}, "two": {"host": 12, "memory": 1024}},
            "image": "TAG",
            "machines": {"box": "somebody/debian", "version": "1.2"},
        },
        "machines": {"one": ONE, "two": TWO},
    }


def test_a_lab_of_virtual_machines_goes_on_with_them(folder):
    folder.has_machine("one", ID, DOMINFO)
    two = DOMINFO.replace("lab-one", "lab-two").replace("2097152", "1048576")
    folder.has_machine("two", "2", two)
    folder.has_network("lab", "10.77.77.1")
    assert folder.up(VAGRANT_DEFAULT_PROVIDER="") == ""
    assert folder.written["machines"] == {"one": ONE, "two": TWO}
    folder.settings(SETTINGS.replace("1024", "4096") + MACHINES)
    wanted = resized("two", "1024 MiB of memory", "4096 MiB of memory")
    assert folder.up() == f"lab: {wanted}"
    assert folder.written["machines"] == {"one": ONE, "two": TWO}
    (folder.bin / "domain-2").write_text(two.replace("running", "shut off"))
    assert folder.up() == ""
    assert folder.written["machines"]["two"] == TWO | {"memory": 4096}
    assert folder.up(LAB_NAME="two").startswith("lab: this folder has the machine 'lab-one': ")


OVERLAP = "lab: LAB_SUBNET 10.77.77.0/24 overlaps 10.77.77.0/24 of libvirt's network 'other': "


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (("other", "10.77.77.1"), f"{OVERLAP}choose another /24"),
        (("lab", "10.77.78.1"), "lab: libvirt's network 'lab' has the subnet 10.77.78.0/24, not "),
    ],
)
def test_a_network_that_meets_another_is_refused(folder, network, said):
    folder.has_network(*network)
    assert folder.up().startswith(said)
    assert folder.written is None


def test_a_subnet_that_is_in_use_otherwise_is_refused(folder):
    said = folder.up(LAB_SUBNET="192.168.121.0/24")
    assert said.startswith("lab: LAB_SUBNET 192.168.121.0/24 overlaps 192.168.121.0/24, by which")
    (folder.bin / "ip").write_text("#!/bin/sh\necho '10.77.77.0/24 dev br-1 scope link'\n")
    assert folder.up().startswith("lab: LAB_SUBNET 10.77.77.0/24 overlaps a route of this machine")
    # The lab's own.
    folder.has_network("lab", "10.77.77.1")
    assert folder.up() == ""


def test_a_second_clone_does_not_take_the_first_one_s_names(folder):
    folder.has_domain("lab-two", ID)
    assert folder.up().startswith("lab: libvirt has a machine 'lab-two' that is not this folder's")
    assert folder.written is None


def test_memory_is_counted_before_anything_is_made(folder):
    # 16 TiB, more than a machine has.
    folder.settings(SETTINGS.replace("2048", "16777216") + MACHINES)
    said = "lab: no room for 2 virtual machines: they take 16778240 MiB of memory (lab.yml: nodes)"
    assert folder.up().startswith(said)
    assert folder.written is None
    assert folder.up("two") == ""


def test_a_box_that_can_t_be_had_is_named(folder):
    shutil.rmtree(folder.boxes)
    assert folder.up() == (
        "lab: fetching the box somebody/debian 1.2 for libvirt\n"
        "lab: the box somebody/debian 1.2 can't be had for libvirt (Could not resolve host:"
        " vagrantcloud.com): add it with `vagrant box add`, or name another in lab.yml (machines:"
        " {box: NAME})"
    )
    assert (folder.bin / "asked").read_text().splitlines()[-1] == (
        "vagrant box add somebody/debian --provider libvirt --box-version 1.2"
    )
    assert folder.written is None


def test_a_pinned_box_needs_a_kvm_that_works(folder):
    folder.settings(SETTINGS)
    said = "lab: libvirt: KVM does not work here (failed to set MSR 0x10a to 0x69): "
    assert folder.up().startswith(said)
    assert folder.written is None


VBOXMANAGE = """#!/bin/sh
case "$*" in
--version) echo 7.0.20r163906 ;;
"list vms") cat "$(dirname "$0")/vms" ;;
"list hostonlyifs") echo "IPAddress:       10.77.77.1" ;;
"list hostinfo") ;;
*) exit 1 ;;
esac
"""


def test_virtualbox_s_rules_are_told_before_anything_is_made(folder):
    (folder.bin / "VBoxManage").write_text(VBOXMANAGE)
    (folder.bin / "VBoxManage").chmod(0o755)
    (folder.bin / "vms").write_text(f'"somebody\'s" {{{ID}}}\n')
    folder.settings(SETTINGS + "machines: {box: own}\n")
    (folder.boxes / "boxes" / "own" / "0" / "amd64" / "virtualbox").mkdir(parents=True)
    (folder.boxes / "boxes/own/0/amd64/virtualbox/metadata.json").write_text("{}")
    virtualbox = {"VAGRANT_DEFAULT_PROVIDER": "virtualbox"}
    assert folder.up(**virtualbox) == (
        "lab: VirtualBox makes no host-only network 10.77.77.0/24: choose one within"
        " 192.168.56.0/21, or write the line `* 10.77.77.0/24` into"
        f" {folder.bin}/networks.conf"
    )
    (folder.bin / "networks.conf").write_text("* 10.0.0.0/8\n")
    # VirtualBox keeps it from one lab to the next.
    (folder.bin / "ip").write_text("#!/bin/sh\necho '10.77.77.0/24 dev vboxnet0 scope link'\n")
    assert folder.up(**virtualbox) == ""
    assert folder.written["provider"] == "virtualbox"
    (folder.bin / "vms").write_text(f'"lab-one" {{{ID}}}\n')
    said = "lab: virtualbox has a machine 'lab-one' that is not this folder's"
    assert folder.up(**virtualbox).startswith(said)


@pytest.mark.parametrize("asked", [["--provider=libvirt"], ["one", "--provider", "libvirt"]])
def test_containers_are_not_taken_for_virtual_machines(folder, asked):
    folder.has_container("one")
    assert folder.up(*asked, VAGRANT_DEFAULT_PROVIDER="docker").startswith(
        "lab: this lab's machines are of the provider docker, not libvirt: "
    )


@pytest.mark.parametrize("variable", ["", "libvirt"])
def test_what_is_done_to_machines_follows_them_and_no_variable(folder, monkeypatch, variable):
    folder.has_container("one")
    monkeypatch.setenv("VAGRANT_DEFAULT_PROVIDER", variable)
    program = f"""
    ARGV.replace(%w[provision])
    require {str(folder.path / "provision" / "lab")!r}
    puts JSON.generate([Lab.provider, Lab.docker?])
    """
    assert ruby.ask(program) == ["docker", True]
