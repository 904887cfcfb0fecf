"""What the lab's account of a host takes for the host's own, and what for the lab's."""

import os
import re
import shutil
import subprocess

import pytest

from lab.config.paths import FOLDER
from lab.release.images import IMAGES

BROUGHT = (FOLDER / "provision/node/hosts/brought").read_text().removesuffix('\nmain "$@"\n')

# As `iptables-save` had them on a host: its own rules, those of the network that it is in, Docker's
# and the lab's.
RULES = """\
*raw
:PREROUTING ACCEPT [0:0]
:LAB - [0:0]
:OWN-SSH - [0:0]
-A PREROUTING -i eth0 -j LAB
-A LAB -p tcp -m multiport --dports 29000 -j DROP
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:LABELS - [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -s 203.10.199.0/24 -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -i docker0 -p udp -m udp --dport 53 -j ACCEPT
-A INPUT -m comment --comment "what -j LAB has" -j ACCEPT
-A FORWARD -s 110.199.0.0/16 -j DROP
-A FORWARD -i br0 -o eth0 -j ACCEPT
-A FORWARD -i br-fade -o eth0 -j ACCEPT
-A FORWARD -j LABELS
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i br-0123456789ab -o br-0123456789ab -j ACCEPT
-A FORWARD -o docker_gwbridge -j DOCKER
-A DOCKER -d 10.199.128.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 8000 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER_OUTPUT - [0:0]
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A POSTROUTING -s 10.19.0.0/24 -o eth0 -j MASQUERADE
-A POSTROUTING -s 10.199.0.0/24 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
OF_THE_LAB = """\
*raw
-D PREROUTING -i eth0 -j LAB
-F LAB
-F OWN-SSH
-X LAB
-X OWN-SSH
COMMIT
"""
WITH_DOCKER = f"""\
{OF_THE_LAB}*filter
-D FORWARD -j DOCKER-USER
-D FORWARD -j DOCKER-ISOLATION-STAGE-1
-D FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-D FORWARD -i docker0 ! -o docker0 -j ACCEPT
-D FORWARD -i br-0123456789ab -o br-0123456789ab -j ACCEPT
-D FORWARD -o docker_gwbridge -j DOCKER
-F DOCKER
-F DOCKER-ISOLATION-STAGE-1
-F DOCKER-USER
-X DOCKER
-X DOCKER-ISOLATION-STAGE-1
-X DOCKER-USER
COMMIT
*nat
-D POSTROUTING -s 10.199.0.0/24 ! -o docker0 -j MASQUERADE
-D POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
WITHOUT_DOCKER = f"""\
{OF_THE_LAB}*filter
-D DOCKER -d 10.199.128.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 8000 -j ACCEPT
COMMIT
*nat
-D POSTROUTING -s 10.199.0.0/24 ! -o docker0 -j MASQUERADE
COMMIT
"""
OTHERS = """\
*filter :LABELS
*filter -A INPUT -s 203.10.199.0/24 -p tcp -m tcp --dport 22 -j ACCEPT
*filter -A INPUT -i docker0 -p udp -m udp --dport 53 -j ACCEPT
*filter -A INPUT -m comment --comment "what -j LAB has" -j ACCEPT
*filter -A FORWARD -s 110.199.0.0/16 -j DROP
*filter -A FORWARD -i br0 -o eth0 -j ACCEPT
*filter -A FORWARD -i br-fade -o eth0 -j ACCEPT
*filter -A FORWARD -j LABELS
*nat :DOCKER_OUTPUT
*nat -A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
*nat -A POSTROUTING -s 10.19.0.0/24 -o eth0 -j MASQUERADE
"""
# A rule of the administrator's, where Docker has a chain for them.
IN_DOCKER_USER = "-A DOCKER-USER -s 10.199.0.9/32 -j DROP\n-A DOCKER-USER -j RETURN\n"


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
        for name, path in (
            ("SETTINGS", "/etc/lab"),
            ("DATA", "/var/lib/docker"),
            ("DOCKER_SETTINGS", "/etc/docker"),
            ("AUTHORITIES", "/usr/local/share/ca-certificates"),
            ("CERTIFICATES", "/etc/ssl/certs"),
            ("HOSTS", "/etc/hosts"),
        ):
            assert f"\n{name}={path}\n" in text
            text = text.replace(f"\n{name}={path}\n", f"\n{name}={self.root}/{name.lower()}\n")
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


@pytest.mark.parametrize(
    ("wanted", "given", "found"),
    [
        ("deletions yes", RULES, WITH_DOCKER),
        ("deletions no", RULES, WITHOUT_DOCKER),
        ("others yes", RULES, OTHERS),
        ("deletions yes", "", ""),
        ("others yes", "", ""),
        # Its chain stays with a rule of the administrator's, and what leads there.
        (
            "deletions yes",
            RULES.replace("-A DOCKER-USER -j RETURN\n", IN_DOCKER_USER),
            WITH_DOCKER.replace("-D FORWARD -j DOCKER-USER\n", "")
            .replace("-F DOCKER-USER\n", "")
            .replace("-X DOCKER-USER\n", ""),
        ),
        (
            "deletions no",
            RULES.replace("-A DOCKER-USER -j RETURN\n", IN_DOCKER_USER),
            WITHOUT_DOCKER,
        ),
    ],
    ids=["Docker goes", "Docker stays", "others", "none", "no others", "DOCKER-USER", "and stays"],
)
def test_rules_that_the_lab_brought_go_and_no_others(host, wanted, given, found):
    assert host.run(f"rules {wanted}", given=given) == found


# (what forwarding was, the filter's other rules before, now: whether the policy is set back)
POLICIES = [
    ("0", "", "", True),
    ("1", "", "", False),
    # ufw has come since.
    ("0", "", ":ufw-user-forward - [0:0]\n", False),
    ("0", "*filter :ufw-user-forward\n", ":ufw-user-forward - [0:0]\n", True),
]


@pytest.mark.parametrize(("forwarding", "before", "now", "back"), POLICIES)
def test_the_policy_of_forward_is_set_back_if_docker_set_it(host, forwarding, before, now, back):
    (host.account / "iptables").write_text("ACCEPT\n")
    (host.account / "iptables.filter").write_text(before)
    (host.account / "kernel").write_text(f"/proc/sys/net/ipv4/ip_forward {forwarding}\n")
    host.has(
        iptables=f"""if [ "$2" = --list-rules ]; then echo '-P FORWARD DROP'
else echo "$*" >>{host.root}/set; fi""",
        iptables_save=f"printf '%s' '*filter\n:FORWARD DROP [0:0]\n{now}COMMIT\n'",
    )
    host.run("restore_policy iptables")
    told, stays = host.root / "set", host.account / "stays"
    assert told.exists() == back
    assert stays.exists() != back
    if back:
        assert told.read_text() == "--wait --policy FORWARD ACCEPT\n"
    else:
        assert stays.read_text() == "the policy of FORWARD (iptables), which was ACCEPT\n"


def installed(*names):
    return f"printf '%s installed\\n' {' '.join(names)}; echo gone config-files"


def test_what_apt_installed_is_brought_and_what_came_between_is_not(host):
    host.has(
        dpkg="exit 0",
        dpkg_query=installed("bash", "python3"),
        apt_get="printf 'Inst %s (1)\\n' docker.io runc tini; echo 'Conf runc (1)'",
    )
    (host.account / "packages").write_text("")
    host.run("installing docker.io")
    # Cut off, a person installs something, and it is run again with something more.
    half = "; echo tini half-installed"
    host.has(dpkg_query=installed("bash", "htop", "python3", "runc") + half)
    host.run("installing docker.io")
    host.has(dpkg_query=installed("bash", "docker.io", "htop", "python3", "runc") + half)
    host.run("installed_all")
    assert (host.account / "packages").read_text() == "docker.io\nrunc\ntini\n"
    assert not (host.account / "planned").exists()
    # Again something, and the lab one package more.
    host.has(
        dpkg_query=installed("bash", "cowsay", "docker.io", "python3", "runc"),
        apt_get="echo 'Inst rsync (3)'",
    )
    host.run("installing rsync")
    host.has(dpkg_query=installed("bash", "cowsay", "docker.io", "python3", "rsync", "runc", "vim"))
    host.run("installed_all")
    assert (host.account / "packages").read_text() == "docker.io\nrsync\nrunc\ntini\n"


# As dpkg 1.22 and older ones say it.
IN_USE = "dpkg: error: dpkg frontend lock was locked by /usr/bin/apt-get process with pid 812"
IN_USE_BEFORE = "dpkg: error: dpkg frontend lock was locked by another process with pid 812"


@pytest.mark.parametrize(
    ("said", "times", "fails", "asked"),
    [
        (IN_USE, 2, False, 3),
        (IN_USE_BEFORE, 2, False, 3),
        # Longer than anybody waits.
        (IN_USE, 99, True, 2),
        ("dpkg: error: out of space", 2, True, 1),
    ],
    ids=["for a while", "by an older dpkg", "for ever", "another failure"],
)
def test_dpkg_is_waited_for_while_others_use_it(host, said, times, fails, asked):
    count = host.root / "asked"
    host.has(
        dpkg=f"""echo >>{count}
[ $(wc -l <{count}) -gt {times} ] || {{ echo '{said}' >&2; exit 2; }}""",
        sleep="exit 0" if times < 99 else "exec /bin/sleep 1.1",
    )
    patience = "PATIENCE=1" if times == 99 else "PATIENCE=600"
    host.run(patience, "configure_pending", errors=f"{said}\n" if fails else "")
    assert len(count.read_text()) == asked


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
    said = host.run("choose_packages", "purge_packages", "tell_end")
    assert said == "lab: is as it was, but for: curl libcurl4, needed by theirs\n"
    options = "--option DPkg::Lock::Timeout=600 --yes --quiet=2"
    assert (host.root / "purged").read_text().splitlines() == [
        f"remove {options} tini",
        f"purge {options} docker.io half",
        # They are all still there.
        f"purge {options} docker.io half",
    ]


@pytest.mark.parametrize(
    ("needed", "stays", "end"),
    [
        ("docker.io\nrunc\n", True, "docker.io runc, needed by theirs"),
        # Which of them it is can't be told: none goes.
        ("", True, "curl docker.io runc, needed by theirs"),
        ("curl\n", False, "curl, needed by theirs"),
    ],
)
def test_a_docker_that_something_needs_since_stays_and_goes_on(host, needed, stays, end):
    (host.account / "packages").write_text("curl\ndocker.io\nrunc\n")
    (host.account / "present").write_text("bash\n")
    (host.account / "groups").write_text("root\n")
    (host.account / "folders").write_text("")
    packages = needed.split() or ["curl", "docker.io", "runc"]
    gone = "|".join(f"*' {name}'*" for name in packages)
    host.has(
        dpkg_query=installed("bash", "curl", "docker.io", "runc", "theirs"),
        apt_get=f"case \" $*\" in {gone}) echo 'Remv theirs [1]' ;; esac",
        apt_cache=f"printf '{needed}'",
        getent="exit 0",
        groupdel=f"echo groupdel >>{host.root}/done",
        systemctl=f'echo "$*" >>{host.root}/done',
    )
    said = host.run("choose_packages", "remove_group", "start_docker", "tell_end")
    assert said == f"lab: is as it was, but for: {end}\n"
    done = (host.root / "done").read_text().splitlines()
    assert ("groupdel" in done, "start docker" in done) == (not stays, stays)


def test_nothing_is_purged_where_nothing_was_brought(host):
    (host.account / "packages").write_text("")
    (host.account / "present").write_text("bash\n")
    host.has(dpkg="exit 0", dpkg_query=installed("bash"), apt_get=f"echo >>{host.root}/purged")
    assert host.run("choose_packages", "purge_packages", "tell_end") == "lab: is as it was\n"
    assert not (host.root / "purged").exists()


CONTAINERS = """\
mysql lab.service=mysql,lab.write=1
webapp_nginx.1.x com.docker.stack.namespace=webapp,lab.service=nginx
scratch lab.scratch=yes
"""
# As a Docker of the lab's tells it: (words of the command, what it prints).
OF_DOCKER = {
    "ps --all --format": CONTAINERS,
    "ps --all --quiet": "c1\nc2\n",
    "inspect": "mysql_data\nanonymous1\n\n",
    "volume ls --filter": "webapp_static\n",
    "volume ls --format": "anonymous1\ncassandra_data\nmysql_data\nwebapp_static\n",
    "image ls --filter": "a1 ubuntu1:5000/mysql:0dcb\na2 ubuntu1:5000/webapp_nginx:0b8d\n"
    "a3 <none>:<none>\n",
    "image ls --format": "a1 ubuntu1:5000/mysql:0dcb\na2 ubuntu1:5000/webapp_nginx:0b8d\n"
    "a3 <none>:<none>\n",
    "network ls": "docker_gwbridge \ningress \nlab lab.service=web\n"
    "webapp_webapp com.docker.stack.namespace=webapp\n",
    "info --format {{.Swarm.ControlAvailable}}": "true\n",
    "service ls": "webapp_django\nwebapp_nginx\n",
}
# (what the command tells besides, what is said of it)
FOREIGN = [
    ({}, ""),
    (
        {"ps --all --format": "own-x \nother a=b\nfrom-the-lab-s lab.script=5912\n"},
        "container own-x, container other, container from-the-lab-s",
    ),
    # Another stack of the same swarm.
    (
        {
            "ps --all --format": "shop.1.y com.docker.stack.namespace=shop\n",
            "network ls": "shop_default com.docker.stack.namespace=shop\n",
            "service ls": "shop_web\n",
        },
        "container shop.1.y, network shop_default, service shop_web",
    ),
    ({"volume ls --format": "photos\nmysql_data2\n"}, "volume photos, volume mysql_data2"),
    (
        {"image ls --format": "b1 nginx:latest\nb2 <none>:<none>\nb3 me/mysql:1\n"},
        "image nginx:latest, image b2, image me/mysql:1",
    ),
    # Made of the lab's.
    (
        {"image ls --filter": "b4 mine:1\n", "image ls --format": "b4 mine:1\n"},
        "image mine:1",
    ),
    ({"network ls": "own \n"}, "network own"),
]


def docker_tells(more):
    cases = "\n".join(
        f"\"{words}\"*) printf '%s' '{text}{more.get(words, '')}' ;;"
        for words, text in OF_DOCKER.items()
    )
    return f'case "$*" in\n{cases}\nesac'


@pytest.mark.parametrize(("more", "said"), FOREIGN)
def test_whoever_uses_the_lab_s_docker_is_asked_to_leave_first(host, more, said):
    host.has(systemctl="exit 0", docker=docker_tells(more))
    line = f"lab: Docker has what is not the lab's: {said}: remove that first\n" if said else ""
    host.run("check_docker", errors=line)


def test_the_lab_s_images_are_known_by_their_names():
    names = re.search(r"OWN_IMAGES='/\((.*?)\):", BROUGHT)[1]
    assert sorted(names.split("|")) == sorted(IMAGES)


def test_a_docker_that_fails_to_tell_is_no_empty_one(host):
    host.has(systemctl="exit 0", docker='[ "$1" != volume ] || { echo broken >&2; exit 1; }')
    host.run("check_docker", errors="broken\n")


# (what is there: data, the mark of an emptied Docker, one that starts; whether it was started; what
# is said)
STOPPED = [
    ("data starts", True, ""),
    (
        "data",
        True,
        "lab: Docker does not start, which has to tell what in ROOT/data is not the lab's: see"
        " `journalctl -u docker`\n",
    ),
    # It never ran, or this was cut off after that.
    ("", False, ""),
    ("data emptied", False, ""),
]


@pytest.mark.parametrize(("there", "started", "said"), STOPPED)
def test_a_docker_that_does_not_answer_is_started_to_tell(host, there, started, said):
    (host.root / "data").mkdir()
    if "data" in there:
        (host.root / "data" / "volumes").touch()
    if "emptied" in there:
        (host.account / "emptied").touch()
    up, asked = host.root / "up", host.root / "started"
    host.has(
        docker=docker_tells({}),
        systemctl=f"""case "$*" in
"is-active --quiet docker") [ -e {up} ] ;;
"start docker") touch {asked}; {f"touch {up}" if "starts" in there else "exit 1"} ;;
esac""",
    )
    host.run("check_docker", errors=said.replace("ROOT", str(host.root)))
    assert asked.exists() == started


OWNER = ("lab", "/home/me/lab", "desk (1a2b)", "AAAAmine", "2026-11-30 12:00:00")
ANOTHER = (
    "lab: is a node of the lab 'lab' of /home/me/lab on desk (1a2b) since 2026-11-30 12:00:00 UTC:"
    " use that, or take another host (LAB_REPLACE=yes replaces that lab, with its data)\n"
)
# (who comes, what is said, the key afterwards)
COMING = [
    (("lab", "/home/me/renamed", "laptop (3c4d)", "AAAAmine"), "", "AAAAmine"),
    # Its .lab was lost.
    (("lab", "/home/me/lab", "desk (1a2b)", "AAAAnew"), "", "AAAAnew"),
    (("lab", "/home/me/lab", "desk (9e9e)", "AAAAyours"), ANOTHER, "AAAAmine"),
    (("lab", "/home/you/lab", "desk (1a2b)", "AAAAyours"), ANOTHER, "AAAAmine"),
    (("two", "/home/me/lab", "desk (1a2b)", "AAAAmine"), ANOTHER, "AAAAmine"),
]


def quoted(words):
    return " ".join(f"'{word}'" for word in words)


@pytest.mark.parametrize(("coming", "errors", "key"), COMING)
def test_of_two_labs_that_come_at_once_the_second_finds_the_first(host, coming, errors, key):
    (host.account / "owner").write_text("\n".join(OWNER) + "\n")
    emptied = host.account / "emptied"
    emptied.touch()
    host.run(f"record {quoted(coming)}", errors=errors)
    # Of a lab that comes back, Docker is asked again.
    assert emptied.exists() == bool(errors)
    assert (host.account / "owner").read_text().splitlines()[3:] == [key, OWNER[4]]


@pytest.mark.parametrize(
    ("expected", "errors"),
    [
        (("lab", "/home/me/lab", "desk (1a2b)", "2026-11-30 12:00:00"), ""),
        # It was another's when it was looked at, or nobody's.
        (("lab", "/home/you/lab", "desk (1a2b)", "2026-11-30 12:00:00"), ANOTHER),
        (("lab", "/home/me/lab", "desk (1a2b)", "2026-11-29 12:00:00"), ANOTHER),
        (("", "", "", ""), ANOTHER),
    ],
)
def test_what_is_removed_is_the_lab_that_was_seen(host, expected, errors):
    (host.account / "owner").write_text("\n".join(OWNER) + "\n")
    host.run(f"require_owner {quoted(expected)}", errors=errors)


def test_only_authorities_that_the_lab_brought_and_nobody_changed_go(host):
    given, trusted, links = (host.root / name for name in ("given", "authorities", "certificates"))
    for folder in (given, trusted, links):
        folder.mkdir()
    for name in ("lab-a", "lab-b"):
        (given / f"{name}.crt").write_text(name)
        (trusted / f"{name}.crt").write_text(name)
        (links / f"{name}.pem").symlink_to(trusted / f"{name}.crt")
        (links / f"{name}.0").symlink_to(f"{name}.pem")
    host.run(f"trusting {given}")
    (trusted / "later.crt").write_text("of its people")
    (trusted / "lab-b.crt").write_text("changed")
    host.has(update_ca_certificates=f"echo >>{host.root}/updated")
    host.run("remove_authorities")
    assert {path.name for path in trusted.iterdir()} == {"later.crt", "lab-b.crt"}
    assert {path.name for path in links.iterdir()} == {"lab-b.pem", "lab-b.0"}
    assert (host.root / "updated").exists()


def test_other_registries_stay_trusted(host):
    certs = host.root / "docker_settings" / "certs.d"
    for registry, mark in (("ubuntu1:5000", True), ("registry.example.org", False)):
        (certs / registry).mkdir(parents=True)
        (certs / registry / "ca.crt").write_text("an authority")
        if mark:
            (certs / registry / "lab").write_text("of the lab")
    (host.root / "docker_settings" / "daemon.json").write_text("{}")
    (host.account / "folders").write_text("")
    host.run("remove_docker_settings")
    assert [path.name for path in certs.iterdir()] == ["registry.example.org"]
    assert not (host.root / "docker_settings" / "daemon.json").exists()
    assert "docker_settings" in (host.account / "stays").read_text()
    (certs / "registry.example.org" / "lab").touch()
    host.run("remove_docker_settings")
    assert not (host.root / "docker_settings").exists()


@pytest.mark.parametrize(("going", "stopped"), [("containerd\n", True), ("docker.io\n", False)])
def test_a_containerd_that_stays_is_not_stopped(host, going, stopped):
    (host.account / "going").write_text(going)
    host.has(systemctl=f'echo "$*" >>{host.root}/asked', ip="exit 0")
    host.run("stop_docker")
    assert ("stop containerd" in (host.root / "asked").read_text().splitlines()) == stopped


HAD_NAMES = "127.0.0.1 localhost\n127.0.1.1\tubuntu1\n10.0.0.9  files ubuntu2\n# its own\n"
LAB_NAMES = "192.168.56.11 ubuntu1\n192.168.56.12 ubuntu2\n"
# (what became of /etc/hosts since, how it is left)
NAMES = [
    (("", ""), HAD_NAMES),
    (
        ("# its own\n", "# its own\n10.0.0.7 printer\n"),
        "127.0.0.1 localhost\n10.0.0.9  files ubuntu2\n# its own\n10.0.0.7 printer\n"
        "127.0.1.1\tubuntu1\n",
    ),
    # A line that somebody took out stays out.
    (("10.0.0.9 files\n", ""), "127.0.0.1 localhost\n# its own\n127.0.1.1\tubuntu1\n"),
]


@pytest.mark.parametrize(("since", "left"), NAMES)
def test_names_are_as_they_were_whatever_has_come_since(host, since, left):
    # The lab's programs are not there yet, or no more.
    shutil.copy(FOLDER / "provision/node/sbin/lab-names", host.account)
    (host.root / "settings").mkdir()
    (host.root / "settings" / "hosts").write_text(LAB_NAMES)
    (host.account / "files").mkdir()
    (host.account / "files" / "hosts").write_text(HAD_NAMES)
    now = (
        "127.0.0.1 localhost\n10.0.0.9 files\n# its own\n"
        "192.168.56.11 ubuntu1 # lab\n192.168.56.12 ubuntu2 # lab\n"
    )
    (host.root / "hosts").write_text(now.replace(*since))
    host.run("restore_names")
    assert (host.root / "hosts").read_text() == left
    # Cut off after it.
    host.run("restore_names")
    assert (host.root / "hosts").read_text() == left


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
