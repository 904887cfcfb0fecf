"""The traps of docs/traps.md: each is shown with its cure taken out, and then with it.

The cure is always the lab's own: its images, configuration and scripts, in throwaway containers.
"""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lab.config.modes import MODES
from lab.config.ports import MYSQL_PORT, MYSQL_READ_PORT, UWSGI_PORT
from lab.config.topology import WebService
from lab.deploy import static
from lab.engine.ssh import wait_until
from lab.plan.modes import separate_hosts, web
from lab.plan.site import USERS
from lab.visitor.client import Client, opener
from tests.conftest import TOPOLOGY
from tests.live.support import replicas
from tests.live.support.trap_bench import (
    NETWORK,
    STATIC_FOLDER,
    VOLUME,
    VOLUME_FOLDER,
    Bench,
    send,
    send_from_container,
    source,
    without,
)

pytestmark = pytest.mark.beside

PEER, HOST = list(dict.fromkeys(service.django for service in TOPOLOGY.web))[:2]
APART = WebService(mode="separate-hosts", django=PEER, nginx=HOST)
# Ports of the node's address that nothing of the lab uses.
PORT, SECOND_PORT = 18090, 18091
OWN_PORTS = "18093-18099"

NGINX_CONF = "/etc/nginx/nginx.conf"
UWSGI_INI = "/usr/local/lib/webapp/uwsgi.ini"
WSGI = "/app/project/wsgi.py"
ROUTER = "/app/project/router.py"
SOURCES = {
    NGINX_CONF: source("images/webapp_nginx/nginx.conf"),
    UWSGI_INI: source("images/webapp_django/uwsgi.ini"),
    WSGI: source("django_app/project/wsgi.py"),
    ROUTER: source("django_app/project/router.py"),
}
FIREWALL = source("provision/node/sbin/lab-firewall")

# Without Django: answers with the client's address, after as many seconds as the query says.
PLAIN = """
import time

def application(environ, start_response):
    print("asked for", environ["PATH_INFO"], flush=True)
    time.sleep(float(environ.get("QUERY_STRING") or 0))
    start_response("200 OK", [])
    return [environ.get("REMOTE_ADDR", "").encode()]
"""
# A container that has something to do before its program listens.
SLOW_START = ("bash", "-c", f"sleep 2; exec uwsgi --ini {UWSGI_INI}")

INTRUDER = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"chosen by the sender"]
"""
INTRUDED = {WSGI: PLAIN, "/app/intruder.py": INTRUDER}
ATTACK = {"UWSGI_FILE": "/app/intruder.py", "UWSGI_APPID": "intruder"}
EXECUTED = "chosen by the sender"

# The exit status of what did not end in time.
KILLED = 137
# Of `timeout` and of curl.
TIMED_OUT = (124, 28)


@pytest.fixture
def bench(running, release):
    with Bench(running.nodes[HOST], running.site(release)) as one:
        yield one


@pytest.fixture
def peer_bench(running, release):
    with Bench(running.nodes[PEER], running.site(release)) as one:
        yield one


def plain(bench, name, *, over=None, **changes):
    """The lab's Django with a plain program in Django's place, healthy."""
    record = bench.django(name, over={WSGI: PLAIN, **(over or {})}, **changes)
    bench.wait_healthy(record)
    return record


@pytest.mark.long
def test_an_address_on_the_default_bridge_is_another_one_after_a_restart(bench):
    plain(bench, "trap-django", network="bridge")
    before = bench.address_of("trap-django")
    bench.nginx("trap-nginx-told-once", f"{before}:{UWSGI_PORT}", network="bridge")
    bench.follow("trap-nginx-followed", "trap-django")
    for nginx in ("trap-nginx-told-once", "trap-nginx-followed"):
        bench.wait_status(nginx, 200)
    bench.run("docker", "stop", "trap-django")
    squat_on(bench, before)
    bench.run("docker", "start", "trap-django")
    assert bench.address_of("trap-django") != before
    bench.wait_status("trap-nginx-followed", 200)
    assert bench.status("trap-nginx-told-once") == 502


def squat_on(bench, address):
    """Takes addresses of the default bridge, the lowest free one first, until this is taken."""
    for number in range(8):
        bench.squat(f"trap-squatter-{number}", network="bridge")
        if bench.address_of(f"trap-squatter-{number}") == address:
            return
    raise AssertionError(f"{address} could not be taken")


def test_nginx_keeps_the_address_that_a_name_had_when_it_started(bench):
    uwsgi = f"trap-django:{UWSGI_PORT}"
    literal = SOURCES[NGINX_CONF].replace("uwsgi_pass $django;", f"uwsgi_pass {uwsgi};")
    plain(bench, "trap-django")
    bench.nginx("trap-nginx-literal", uwsgi, over={NGINX_CONF: literal})
    bench.nginx("trap-nginx", uwsgi)
    for nginx in ("trap-nginx-literal", "trap-nginx"):
        bench.wait_status(nginx, 200)
    before = bench.address_of("trap-django")
    bench.run("docker", "network", "disconnect", NETWORK, "trap-django")
    bench.squat("trap-squatter")
    bench.run("docker", "network", "connect", NETWORK, "trap-django")
    assert bench.address_of("trap-django") != before
    bench.wait_status("trap-nginx", 200)
    assert bench.status("trap-nginx-literal") == 502


@pytest.mark.long
def test_pages_name_static_files_that_the_other_host_lacks(running, bench, peer_bench, monkeypatch):
    row = replace(MODES[APART.mode], static_folder=STATIC_FOLDER)
    monkeypatch.setitem(MODES, APART.mode, row)
    monkeypatch.setattr(static, "VOLUME", VOLUME_FOLDER)
    earlier = "site.000000000000.css"
    peer_bench.run("docker", "volume", "create", VOLUME)
    # What an earlier release left in Django's volume and on nginx's host.
    for one, folder in ((peer_bench, f"{VOLUME_FOLDER}/static_root"), (bench, STATIC_FOLDER)):
        one.run("install", "-D", "/dev/null", f"{folder}/{earlier}")
    listed = f"{VOLUME_FOLDER}/sets/000000000000"
    peer_bench.run("sh", "-ec", f"mkdir {VOLUME_FOLDER}/sets; echo -n {earlier} > {listed}")
    peer_bench.run("chown", "--recursive", str(USERS["django"]), VOLUME_FOLDER)
    mount = f"{web.STATIC_VOLUME.name}:/shared"
    own = web.static_set(peer_bench.site)
    publish = web.publish_static(peer_bench.site, own, ())
    peer_bench.run(*(f"{VOLUME}:/shared" if part == mount else part for part in publish))
    laid = f"{VOLUME_FOLDER}/manifests/{own}.json"
    named = json.loads(peer_bench.run("cat", laid))["paths"]["site.css"]
    plain(peer_bench, "trap-django")
    (nginx,) = separate_hosts.plan(bench.site, APART, HOST).containers
    bench.nginx("trap-nginx", f"{peer_bench.address}:{PORT}", mounts=nginx.mounts)
    bench.wait_status("trap-nginx", 200, f"/static/{earlier}")
    assert bench.status("trap-nginx", f"/static/{named}") == 404
    static.carry(running, APART)
    assert bench.status("trap-nginx", f"/static/{named}") == 200
    assert bench.status("trap-nginx", f"/static/{earlier}") == 200


@pytest.mark.long
def test_a_socket_is_for_nobody_or_for_everybody_unless_it_has_a_group(bench):
    ini = SOURCES[UWSGI_INI]
    kinds = {
        "umask": without(ini, "chown-socket = app:nginx\n", "chmod-socket = 660\n"),
        "public": ini.replace("chmod-socket = 660", "chmod-socket = 666"),
        "grouped": None,  # the image's own
    }
    records = [
        bench.django(
            f"trap-django-{kind}",
            socket=f"/shared/{kind}.sock",
            over=INTRUDED | ({UWSGI_INI: changed} if changed else {}),
        )
        for kind, changed in kinds.items()
    ]
    bench.wait_healthy(*records)
    answers = {}
    for kind in kinds:
        bench.nginx(f"trap-nginx-{kind}", f"unix:/shared/{kind}.sock")
        bench.wait_status(f"trap-nginx-{kind}", 200, "/nginx_health")
        answers[kind] = (bench.status(f"trap-nginx-{kind}"), stranger_says(bench, kind))
    assert "Permission denied" in bench.log("trap-nginx-umask")
    assert answers == {
        "umask": (502, "refused"),
        "public": (200, "executed"),
        "grouped": (200, "refused"),
    }


def stranger_says(bench, kind):
    """What a user who is in nobody's group can do with a socket in the volume."""
    stranger = ("--network", "none", "--user", "65534:65534", "--volume", f"{VOLUME}:/shared")
    said = send_from_container(bench.node, bench.image, f"/shared/{kind}.sock", ATTACK, *stranger)
    known = {EXECUTED: "executed", "PermissionError": "refused"}
    return next((what for words, what in known.items() if words in said), said)


def test_whoever_reaches_uwsgi_s_port_runs_code_there(running, bench):
    plain(bench, "trap-django", publish=PORT, over=INTRUDED)
    assert EXECUTED in send(bench.address, PORT, ATTACK)
    bench.guard(f"{PORT} {TOPOLOGY.address(PEER)} tcp\n", FIREWALL)
    with pytest.raises(TimeoutError):
        send(bench.address, PORT, ATTACK)
    # The one who may is as dangerous as before.
    socket = f"{bench.address}:{PORT}"
    said = send_from_container(running.nodes[PEER], bench.image, socket, ATTACK)
    assert EXECUTED in said


@pytest.mark.parametrize(
    "service",
    [service for service in TOPOLOGY.web if service.mode == "separate-hosts"],
    ids=lambda service: service.django,
)
def test_uwsgi_s_port_of_the_lab_is_closed_to_all_but_its_nginx(running, service):
    address = TOPOLOGY.address(service.django)
    assert Client(TOPOLOGY.address(service.nginx)).get("/uwsgi_health")[0] == 200
    with pytest.raises(TimeoutError):
        send(address, UWSGI_PORT, {})
    other = next(n for n in TOPOLOGY.names if n not in (service.django, service.nginx))
    connect = ("timeout", "1", "bash", "-c", f"</dev/tcp/{address}/{UWSGI_PORT}")
    assert running.nodes[other].attempt(*connect)[0] in TIMED_OUT


def test_a_firewall_that_drops_more_than_openings_drops_answers(bench):
    other = next(name for name in TOPOLOGY.nginx_nodes if name != HOST)
    ask = ("curl", "--silent", "--max-time", "2", "--local-port", OWN_PORTS)
    ask += (f"http://{TOPOLOGY.address(other)}/nginx_health",)
    rule = f"{OWN_PORTS.replace('-', ':')} {bench.address} tcp\n"
    bench.guard(rule, FIREWALL.replace("opening=--syn ", "opening= "))
    assert bench.attempt(*ask)[0] in TIMED_OUT
    bench.guard(rule, FIREWALL)
    assert bench.run(*ask).strip() == "ok"


def test_a_published_port_accepts_with_nothing_behind_it(bench):
    bench.squat("trap-nothing", publish=PORT)
    plain(bench, "trap-django", publish=SECOND_PORT)
    bench.squat("trap-asking", network="bridge")
    inside = ("docker", "exec", "--interactive", "trap-asking")
    bench.run(*inside, "bash", "-c", f"</dev/tcp/{bench.address}/{PORT}")

    def verdict(port):
        """The tests' own probe, which takes the port's number for the protocol."""
        program = source("tests/probe.py").replace(f"{UWSGI_PORT}: uwsgi", f"{port}: uwsgi")
        question = json.dumps([[bench.address, port]]) + "\n"
        told = bench.node.feed(question, *inside, "python3", "-c", program)
        return json.loads(told)[f"{bench.address}:{port}"]

    assert verdict(PORT) == "mute"
    assert verdict(SECOND_PORT) == "open"


def test_sigterm_makes_uwsgi_reload_and_a_stop_take_all_its_time(bench):
    cure = "hook-master-start = unix_signal:15 grace_them_all\nexit-on-reload = true\n"
    plain(bench, "trap-django-reloads", over={UWSGI_INI: without(SOURCES[UWSGI_INI], cure)})
    assert bench.stop("trap-django-reloads", 1) == KILLED
    plain(bench, "trap-django", publish=PORT)
    with ThreadPoolExecutor() as pool:
        request = {"PATH_INFO": "/in_flight", "QUERY_STRING": "1.5"}
        answer = pool.submit(send, bench.address, PORT, request)
        bench.wait_log("trap-django", "asked for /in_flight")
        assert bench.stop("trap-django", 20) == 0
        assert answer.result().startswith("HTTP/1.1 200 OK")


def test_a_shell_as_process_1_keeps_the_signal_to_itself(bench):
    in_a_shell = ("sh", "-c", f"uwsgi --ini {UWSGI_INI}; true")
    plain(bench, "trap-django-in-shell", command=in_a_shell)
    assert bench.stop("trap-django-in-shell", 1) == KILLED
    plain(bench, "trap-django")
    assert bench.stop("trap-django", 20) == 0


def test_a_client_s_address_is_lost_or_invented_unless_the_balancers_alone_are_trusted(
    running, bench
):
    balancer = TOPOLOGY.settings.balancers[0]
    balancer_s, ours = TOPOLOGY.address(balancer), str(TOPOLOGY.subnet.network_address + 1)
    claimed = "203.0.113.9"
    plain(bench, "trap-django")

    def seen(nginx, port, **changes):
        """Whom Django takes for the client if a balancer names one, and if this machine does."""
        bench.nginx(nginx, f"trap-django:{UWSGI_PORT}", publish=port, **changes)
        bench.wait_status(nginx, 200)
        url, name = f"http://{bench.address}:{port}/", "X-Forwarded-For"
        asked = ("curl", "--silent", "--fail", "--header", f"{name}: {claimed}", url)
        request = urllib.request.Request(url, headers={name: claimed})  # noqa: S310
        with opener().open(request, timeout=10) as answer:
            return running.nodes[balancer].run(*asked), answer.read().decode()

    nobody, everybody = (trusting(proxies) for proxies in ("", "0.0.0.0/0"))
    assert seen("trap-nginx-nobody", PORT, environment=nobody) == (balancer_s, ours)
    assert seen("trap-nginx-everybody", PORT + 1, environment=everybody) == (claimed, claimed)
    assert seen("trap-nginx", PORT + 2) == (claimed, ours)


def trusting(proxies):
    return (("UWSGI_URI", f"trap-django:{UWSGI_PORT}"), ("NGINX_TRUSTED_PROXIES", proxies))


@pytest.fixture
def written(running):
    """A table of one row that the replicas have."""
    through = replicas.through_the_balancer
    through(running, MYSQL_PORT, "CREATE DATABASE IF NOT EXISTS test_djangodb")
    through(running, MYSQL_PORT, "DROP TABLE IF EXISTS test_djangodb.trap")
    through(running, MYSQL_PORT, "CREATE TABLE test_djangodb.trap (id INT PRIMARY KEY) SELECT 1 id")
    yield "test_djangodb.trap"
    through(running, MYSQL_PORT, "DROP DATABASE test_djangodb")


@pytest.mark.long
def test_a_replica_that_lags_lacks_what_was_just_written(running, bench, written):
    always_replica = (
        f"{SOURCES[ROUTER]}\n\nCausalRouter.db_for_read = lambda *_, **__: 'read_only'\n"
    )
    kinds = {"replica": ({ROUTER: always_replica}, PORT), "causal": ({}, SECOND_PORT)}
    for kind, (over, port) in kinds.items():
        bench.wait_healthy(bench.django(f"trap-django-{kind}", over=over))
        bench.nginx(f"trap-nginx-{kind}", f"trap-django-{kind}:{UWSGI_PORT}", publish=port)
        bench.wait_status(f"trap-nginx-{kind}", 200)

    def rows(port):
        query = f"SELECT COUNT(*) FROM {written}"  # noqa: S608
        return replicas.through_the_balancer(running, port, query)

    def signed_in(port):
        client = Client(f"{bench.address}:{port}")
        return "Your posts" in client.sign_in("admin", password)[2]

    password = running.secrets["django_admin_password"]
    wait_until(
        "the replicas", lambda: rows(MYSQL_READ_PORT), "1".__eq__, seconds=20, advice=lambda _: ""
    )
    with replicas.frozen(running):
        insert = f"INSERT INTO {written} VALUES (2)"  # noqa: S608
        replicas.through_the_balancer(running, MYSQL_PORT, insert)
        assert (rows(MYSQL_PORT), rows(MYSQL_READ_PORT)) == ("2", "1")
        found = {kind: signed_in(port) for kind, (_, port) in kinds.items()}
        assert found == {"replica": False, "causal": True}


@pytest.mark.long
def test_a_cassandra_session_from_before_the_fork_hangs_every_request(bench):
    at_import = SOURCES[WSGI] + "\nfrom posts import store\n\nstore.connected()\n"
    # Not waited for: what hangs need not become healthy.
    bench.django("trap-django-at-import", over={WSGI: at_import}, publish=PORT)
    bench.wait_healthy(bench.django("trap-django", publish=SECOND_PORT))
    bench.wait_log("trap-django-at-import", "spawned uWSGI worker 2")

    def cassandra(port):
        try:
            answer = send(bench.address, port, {"PATH_INFO": "/ready"}, seconds=5)
        except TimeoutError:
            return "no answer"
        return json.loads(answer.partition("\r\n\r\n")[2])["checks"]["cassandra"]

    wait_until(
        "Cassandra", lambda: cassandra(SECOND_PORT), "ok".__eq__, seconds=20, advice=lambda _: ""
    )
    assert {cassandra(PORT) for _ in range(2)} <= {"down", "no answer"}


def test_a_container_that_is_started_is_not_yet_ready(bench):
    bench.nginx("trap-nginx", f"trap-django:{UWSGI_PORT}")
    bench.wait_status("trap-nginx", 200, "/nginx_health")
    record = bench.django("trap-django", over={WSGI: PLAIN}, command=SLOW_START)
    assert bench.status("trap-nginx") == 502
    assert bench.observe().containers["trap-django"].state == "running"
    bench.wait_healthy(record)
    assert bench.status("trap-nginx") == 200
