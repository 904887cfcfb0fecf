"""The kinds of questions that lab-doctor asks on this node.

Each is a function of its arguments, which are texts, and of how many seconds whoever is asked may
take; those inside a container also of what Docker says of it. It returns an answer: status, which
is 0 if it is one, output, errors; or raises OSError. Where that can be, it starts no program:
forty of them on four nodes are a load by themselves, and make late what they ask for.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import time

from lab_node import cassandra, plain_http, reach, uwsgi
from lab_node.docker import Docker

# As typing has it, whose import takes 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

Answer = tuple[int | None, str, str]

MIB = 2**20
PROCESSES, CGROUPS = "/proc", "/sys/fs/cgroup"
CLONE_NEWNET = 0x40000000  # sched.h
# Of a container's log, how many bytes from its end are read at most.
TAIL = 256 * 1024
# Seconds: what a container logged about a question, and what of the past is told.
JUST_NOW, RECENT = 8, 60


def run(argv: list[str], seconds: float) -> Answer:
    """Of a program, which is killed when its time is over, with all that it started."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return 127, "", str(error)
    try:
        output, errors = process.communicate(timeout=max(0.1, seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, *process.communicate()
    return process.returncode, output, errors


def lines(found: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in found)


def read(paths: list[str], seconds: float) -> Answer:
    """Those of the files that are there, one after another."""
    found, errors = "", ""
    for path in paths:
        try:
            with open(path, errors="replace") as file:
                found += file.read()
        except OSError as error:
            errors = f"{path}: {error.strerror}"
    return (0 if found else 1), found, errors


def space(paths: list[str], seconds: float) -> Answer:
    """Path, MiB that are free, and the used shares of room and of inodes, as df has them."""
    rows = []
    for path in paths:
        of = os.statvfs(path)
        room = share(of.f_blocks - of.f_bfree, of.f_blocks - of.f_bfree + of.f_bavail)
        inodes = share(of.f_files - of.f_ffree, of.f_files)
        rows.append(f"{path} {of.f_bavail * of.f_frsize // MIB} {room} {inodes}")
    return 0, lines(rows), ""


def share(used: int, of: int) -> str:
    return f"{-(-100 * used // of)}%" if of else "-"


def volumes(folders: list[str], seconds: float) -> Answer:
    """Folder, where its disk is mounted, the MiB that it has, and those that are free."""
    rows = []
    for folder in folders:
        of = os.statvfs(folder)
        size, free = (blocks * of.f_frsize // MIB for blocks in (of.f_blocks, of.f_bavail))
        rows.append(f"{folder} {mounted(folder)} {size} {free}")
    return 0, lines(rows), ""


def mounted(path: str) -> str:
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def names(known: list[str], seconds: float) -> Answer:
    """Each name and its address; without one if it has none."""
    rows = []
    for name in known:
        try:
            found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
            rows.append(f"{name} {found[0][4][0]}")
        except OSError:
            rows.append(name)
    return 0, lines(rows), ""


def digests(paths: list[str], seconds: float) -> Answer:
    """Digest and path of those of the files that are there, as sha256sum has them."""
    found = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                found.append(f"{hashlib.sha256(file.read()).hexdigest()} {path}")
        except OSError:
            continue
    return 0, lines(found), ""


def ways(places: list[str], seconds: float) -> Answer:
    """HOST:PORT and why, of those that can't be connected to."""
    found = reach.unreached(places, seconds)
    return 0, lines(f"{place} {found[place]}" for place in places if place in found), ""


def page(arguments: list[str], seconds: float) -> Answer:
    """HOST PORT PATH: the body of what answers 200; of other answers the status, too."""
    host, port, path = arguments
    with socket.create_connection((host, int(port)), timeout=seconds) as asked:
        status, body = plain_http.get(asked, host, path)
    text = body.decode(errors="replace")
    return (0, text, "") if status == 200 else (1, text, f"HTTP {status}")


def code(arguments: list[str], seconds: float) -> Answer:
    """HOST PORT PATH: the status, whatever it is."""
    host, port, path = arguments
    with socket.create_connection((host, int(port)), timeout=seconds) as asked:
        return 0, str(plain_http.get(asked, host, path)[0]), ""


def code_by_tls(arguments: list[str], seconds: float) -> Answer:
    """HOST PORT PATH [FILE]: the status; FILE: whose certificates to trust instead of all."""
    host, port, path, *trusted = arguments
    context = ssl.create_default_context(cafile=trusted[0] if trusted else None)
    # As Docker and curl have it, and whose authorities are older.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    plain = socket.create_connection((host, int(port)), timeout=seconds)
    with plain, context.wrap_socket(plain, server_hostname=host) as asked:
        return 0, str(plain_http.get(asked, host, path)[0]), ""


def certificate(arguments: list[str], seconds: float) -> Answer:
    """HOST PORT: what a server shows, whoever signed it."""
    host, port = arguments
    return 0, ssl.get_server_certificate((host, int(port)), timeout=seconds), ""


def stack(arguments: list[str], seconds: float) -> Answer:
    """Services and their tasks, of a manager of a swarm."""
    services = Docker(seconds).ask("/services?status=true") or []
    form = "{Spec[Name]} {ServiceStatus[RunningTasks]}/{ServiceStatus[DesiredTasks]}"
    return 0, lines(form.format(**one) for one in services), ""


def killed(arguments: list[str], seconds: float) -> Answer:
    """When a process was killed for memory, in which container, and how many there by now."""
    docker, now = Docker(seconds), time.time()
    rows = []
    for moment, identity in docker.killed_for_memory(now - RECENT, now):
        inspected = docker.ask(f"/containers/{identity}/json")
        rows.append(f"{moment} {identity} {kills(inspected['State']['Pid']) if inspected else 0}")
    return 0, lines(rows), ""


def kills(pid: int) -> int:
    """How many of a container's processes the kernel has killed since it was started."""
    try:
        with open(f"{PROCESSES}/{pid}/cgroup") as file:
            groups = [line.strip().split(":", 2) for line in file]
    except OSError:
        return 0
    count = 0
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            told = f"{CGROUPS}/memory{path}/memory.oom_control"
        elif not controllers:
            told = f"{CGROUPS}{path}/memory.events"
        else:
            continue
        rows = map(str.split, read([told], 0)[1].splitlines())
        count += sum(int(number) for name, number in rows if name == "oom_kill")
    return count


def cql(arguments: list[str], seconds: float) -> Answer:
    """ADDRESS: whether Cassandra answers there."""
    return (0 if cassandra.serves(arguments[0], seconds) else 1), "", ""


def posts(arguments: list[str], seconds: float) -> Answer:
    """USER FILE STATEMENTS ADDRESS...: what cassandra.troubles() says, as JSON.

    FILE: with the password; STATEMENTS: with ; between.
    """
    user, file, statements, *addresses = arguments
    with open(file) as secret:
        password = secret.read().strip()
    found = cassandra.troubles(seconds, addresses, user, password, statements.split(";"))
    return 0, json.dumps(found), ""


def statistics(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """HAProxy's."""
    path = f"{root(inside)}/run/haproxy/admin.sock"
    with plain_http.unix(path, seconds) as asked, asked.makefile("rb") as answer:
        asked.sendall(b"show stat\n")
        return 0, answer.read().decode(), ""


def django(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """uWSGI's status line for /uwsgi_health, then what /ready says; and why not, which the log has.

    Asked where the container is, whatever its network.
    """
    found, errors = [], ""
    try:
        for path, line in (("/uwsgi_health", 0), ("/ready", -1)):
            with uwsgi_of(inside, seconds) as asked:
                found.append(uwsgi.lines(asked, path)[line])
    except OSError as error:
        errors = f"{type(error).__name__}: {error}"
    said = [line for line in logged(inside, JUST_NOW) if "not ready: " in line]
    return (1 if errors else 0), lines(found), errors or lines(said)


def uwsgi_of(inside: dict[str, Any], seconds: float) -> socket.socket:
    told = environment(inside)["APP_UWSGI_SOCKET"]
    if told.startswith("/"):
        return plain_http.unix(root(inside) + told, seconds)
    # Of this thread alone, which asks this question alone.
    with open(f"{PROCESSES}/{inside['State']['Pid']}/ns/net") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    host, port = told.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=seconds)


def through(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """HOST PORT PATH: the status by way of nginx; and why it is no other, which the log has."""
    try:
        status, output, errors = code(arguments, seconds)
    except OSError as error:
        status, output, errors = 1, "", f"{type(error).__name__}: {error}"
    why = [line for line in logged(inside, JUST_NOW) if "[error]" in line or "[crit]" in line]
    return status, output, why[-1] if why else errors


def upstream(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """The address behind the name that nginx is told, or whether it may use the socket."""
    told = environment(inside)["UWSGI_URI"]
    if told.startswith("unix:"):
        return (0 if may_write(inside, told.removeprefix("unix:")) else 1), "", ""
    host = told.rsplit(":", 1)[0]
    try:
        socket.inet_aton(host)
    except OSError:
        return run([*entering(inside, "--mount", "--net"), "getent", "ahostsv4", host], seconds)
    return 0, host, ""


def may_write(inside: dict[str, Any], path: str) -> bool:
    """Whether a container's first process may write to a socket by its mode."""
    found, (user, group) = os.stat(root(inside) + path), owners(inside)
    others = stat.S_IWGRP if group == found.st_gid else stat.S_IWOTH
    bit = stat.S_IWUSR if user == found.st_uid else others
    return stat.S_ISSOCK(found.st_mode) and bool(found.st_mode & bit)


def mysql(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """STATEMENTS: what MySQL's root is told by its own client."""
    client = ("mysql", "-uroot", "--batch", "--skip-column-names", "--execute", *arguments)
    return run([*entering(inside, "--mount"), *client], seconds)


# The password goes by a pipe: it stands on no command line and in no environment.
ACCOUNT = """
password=$(</run/secrets/mysql_django_password)
mysql --defaults-extra-file=<(printf '[client]\\npassword=%s\\n' "$password") \\
  --host="$1" --user=django --connect-timeout="$2" --execute='SELECT 1' djangodb
"""


def account(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """ADDRESS PORT: whether the application may sign in there; PORT: of the server's role.

    Only of the primary: it knows no more than others, and each asking costs a start of a client.
    """
    address, port = arguments
    if code([address, port, "/primary"], seconds)[1] != "200":
        return 1, "", "it is not the primary"
    # In its list of processes, too: a pipe is named by /proc.
    shell = ("bash", "-c", ACCOUNT, "bash", address, str(max(1, int(seconds))))
    return run([*entering(inside, "--mount", "--pid"), *shell], seconds)


def out_of_memory(arguments: list[str], seconds: float, inside: dict[str, Any]) -> Answer:
    """TEXT: the last line of the last minute that has it, from there on."""
    (text,) = arguments
    found = [line[line.index(text) :] for line in logged(inside, RECENT) if text in line]
    return 0, found[-1] if found else "", ""


def logged(inside: dict[str, Any], seconds: float) -> list[str]:
    """The lines of the last seconds, as Docker's file has them.

    `docker logs` reads the whole file for that.
    """
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - seconds))
    with open(inside["LogPath"], "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        written = file.read().splitlines()
    found: list[str] = []
    for line in reversed(written):
        try:
            entry = json.loads(line)
        except ValueError:
            break  # cut off
        if entry["time"] < since:
            break
        found.append(entry["log"].rstrip("\n"))
    return found[::-1]


def root(inside: dict[str, Any]) -> str:
    return f"{PROCESSES}/{inside['State']['Pid']}/root"


def environment(inside: dict[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in inside["Config"]["Env"])


def owners(inside: dict[str, Any]) -> tuple[int, int]:
    """User and group of a container's first process."""
    _, status, _ = read([f"{PROCESSES}/{inside['State']['Pid']}/status"], 0)
    words = dict(line.split(":", 1) for line in status.splitlines())
    return int(words["Uid"].split()[1]), int(words["Gid"].split()[1])


def entering(inside: dict[str, Any], *spaces: str) -> tuple[str, ...]:
    """What runs a program in some of a container's namespaces, as its own user.

    For `docker exec`, Docker, its shim and runc would work, too.
    """
    user, group = owners(inside)
    place = ("--target", str(inside["State"]["Pid"]), *spaces)
    return ("nsenter", *place, "--setuid", str(user), "--setgid", str(group), "--")


OF_NODE: dict[str, Callable[[list[str], float], Answer]] = {
    "certificate": certificate,
    "code": code,
    "code by tls": code_by_tls,
    "cql": cql,
    "digests": digests,
    "killed": killed,
    "names": names,
    "page": page,
    "posts": posts,
    "read": read,
    "run": run,
    "space": space,
    "stack": stack,
    "volumes": volumes,
    "ways": ways,
}
INSIDE: dict[str, Callable[[list[str], float, dict[str, Any]], Answer]] = {
    "account": account,
    "django": django,
    "mysql": mysql,
    "out of memory": out_of_memory,
    "statistics": statistics,
    "through": through,
    "upstream": upstream,
}
