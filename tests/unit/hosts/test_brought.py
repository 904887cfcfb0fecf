"""What the lab's account of a host takes for the host's own, and what for the lab's."""

import os
import subprocess

import pytest

from lab.config.paths import FOLDER

BROUGHT = (FOLDER / "provision/node/hosts/brought").read_text().removesuffix('\nmain "$@"\n')

# As `iptables-save` had them on a host: its own rules, those of the network that it is in, Docker's
# and the lab's.
OWN_RULES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:LABELS - [0:0]
:DOCKER_OUTPUT - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -i br0 -o eth0 -j ACCEPT
-A FORWARD -j LABELS
COMMIT
*nat
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A POSTROUTING -s 10.19.0.0/24 -o eth0 -j MASQUERADE
COMMIT
"""
BROUGHT_RULES = """\
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
:LAB - [0:0]
:OWN-SSH - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i br-0123456789ab -o br-0123456789ab -j ACCEPT
-A FORWARD -o docker_gwbridge -j DOCKER
-A DOCKER-USER -j RETURN
-A DOCKER -d 10.199.128.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 8000 -j ACCEPT
-A POSTROUTING -s 10.199.0.0/24 ! -o docker0 -j MASQUERADE
-A PREROUTING -i eth0 -j LAB
-A LAB -p tcp -m multiport --dports 29000 -j DROP
"""


class Host:
    """Runs functions of the program, with programs of its own on its PATH."""

    def __init__(self, root):
        self.root, self.bin = root, root / "bin"
        self.account = root / "lab" / "brought"
        self.bin.mkdir()
        self.account.mkdir(parents=True)

    def has(self, **programs):
        for name, text in programs.items():
            path = self.bin / name.replace("_", "-")
            path.write_text(f"#!/bin/bash\n{text}\n")
            path.chmod(0o755)

    def run(self, *calls, given="", errors=""):
        text = BROUGHT.replace("STATE=/var/lib/lab\n", f"STATE={self.root}/lab\n")
        text = text.replace("SETTINGS=/etc/lab\n", f"SETTINGS={self.root}/settings\n")
        done = subprocess.run(
            ("bash", "-c", "\n".join((text, *calls)), "brought"),
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (1 if errors else 0, errors)
        return done.stdout


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_rules_that_are_docker_s_or_the_lab_s_go_and_no_others(host):
    given = OWN_RULES.replace("COMMIT\n*nat", f"{BROUGHT_RULES}COMMIT\n*nat")
    assert host.run("others_rules", given=given) == OWN_RULES


def test_a_host_without_any_rules_has_none(host):
    assert host.run("others_rules") == ""


def installed(*names):
    return f"printf '%s installed\\n' {' '.join(names)}; echo gone config-files"


def test_what_apt_installed_is_brought_and_what_came_between_is_not(host):
    host.has(dpkg="exit 0", dpkg_query=installed("bash", "python3"))
    (host.account / "packages").write_text("")
    host.run("installing")
    # Cut off, and run again with something more.
    host.has(dpkg_query=installed("bash", "python3", "runc"))
    host.run("installing")
    host.has(dpkg_query=installed("bash", "docker.io", "python3", "runc"))
    host.run("installed_all")
    assert (host.account / "packages").read_text() == "docker.io\nrunc\n"
    # A person installs something, and the lab one package more.
    host.has(dpkg_query=installed("bash", "cowsay", "docker.io", "python3", "runc"))
    host.run("installing")
    host.has(dpkg_query=installed("bash", "cowsay", "docker.io", "python3", "rsync", "runc"))
    host.run("installed_all")
    assert (host.account / "packages").read_text() == "docker.io\nrsync\nrunc\n"


def test_a_package_that_something_needs_since_is_kept_and_named(host):
    (host.account / "packages").write_text("curl\ndocker.io\nhalf\nlibcurl4\nrunc\ntini\n")
    (host.account / "present").write_text("bash\ntini\n")
    host.has(
        dpkg="exit 0",
        dpkg_query=installed("bash", "curl", "docker.io", "htop", "libcurl4", "theirs", "tini")
        + "; printf '%s\\n' 'half half-installed' 'runc not-installed'",
        apt_get=f"""case "$*" in
"--simulate purge "*curl*) printf 'Purg curl [8]\\nRemv theirs [1]\\n' ;;
"--simulate purge "*) printf 'Purg docker.io [26]\\n' ;;
*) echo "$*" >>{host.root}/purged ;;
esac""",
        apt_cache="printf 'theirs\\n  Depends: curl\\ncurl\\nlibcurl4\\nlibc6\\n'",
    )
    said = host.run("purge_packages")
    assert said == "lab: kept for theirs, which needs it: curl libcurl4\n"
    options = "--option DPkg::Lock::Timeout=600 --yes --quiet=2"
    assert (host.root / "purged").read_text().splitlines() == [
        f"remove {options} tini",
        f"purge {options} docker.io half",
        # They are all still there.
        f"purge {options} docker.io half",
    ]


def test_nothing_is_purged_where_nothing_was_brought(host):
    (host.account / "packages").write_text("")
    (host.account / "present").write_text("bash\n")
    host.has(dpkg="exit 0", dpkg_query=installed("bash"), apt_get=f"echo >>{host.root}/purged")
    host.run("purge_packages")
    assert not (host.root / "purged").exists()


def test_whoever_uses_the_lab_s_docker_is_asked_to_leave_first(host):
    host.has(
        systemctl="exit 0",
        docker="""[ "$1" = info ] || printf '%s\\n' 'mysql lab.service=mysql,lab.write=1' \
  'web.1.x com.docker.stack.namespace=lab,com.docker.swarm.task=' 'own-x ' 'other a=b'""",
    )
    line = "lab: Docker has containers that are not the lab's: own-x other: remove them first\n"
    host.run("check_docker", errors=line)


@pytest.mark.parametrize(
    ("held", "deleted"),
    [
        ("2: ens3    inet 192.168.56.10/24 scope global secondary ens3", True),
        # keepalived gave it back, or the other balancer has it.
        ("", False),
    ],
)
def test_the_virtual_address_goes_with_a_killed_keepalived(host, held, deleted):
    settings = host.root / "settings"
    (settings / "keepalived").mkdir(parents=True)
    (settings / "interface.conf").write_text("interface ens3\n")
    (settings / "keepalived" / "keepalived.conf").write_text(
        "    unicast_peer {\n        192.168.56.14\n    }\n"
        "    virtual_ipaddress {\n        192.168.56.10/24\n    }\n"
    )
    host.has(
        ip=f"""case "$*" in
"-o -4 address show to 192.168.56.10 dev ens3") printf '%s' '{held}' ;;
*) echo "$*" >>{host.root}/changed ;;
esac"""
    )
    host.run("release_address")
    changed = host.root / "changed"
    assert changed.exists() == deleted
    if deleted:
        assert changed.read_text() == "address delete 192.168.56.10/24 dev ens3\n"


def test_who_is_no_balancer_has_no_address_to_give_back(host):
    host.has(ip=f"echo >>{host.root}/changed")
    host.run("release_address")
    assert not (host.root / "changed").exists()
