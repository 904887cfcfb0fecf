"""What each kind of question answers, asked of the real thing where it can be had without a lab."""

import json
import os
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lab_node import asking


def run(*argv, seconds=4.0):
    return asking.run(list(argv), seconds)


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (("echo", "well"), (0, "well\n", "")),
        (("sh", "-c", "echo out; echo no >&2; exit 7"), (7, "out\n", "no\n")),
        (("printf", r"\377"), (0, "\N{REPLACEMENT CHARACTER}", "")),
        (("cat",), (0, "", "")),
        (
            ("no-such-command",),
            (127, "", "[Errno 2] No such file or directory: 'no-such-command'"),
        ),
    ],
)
def test_a_program_s_answer_is_its_status_and_what_it_said(argv, wanted):
    assert run(*argv) == wanted


def test_what_hangs_is_killed_with_all_that_it_started_and_what_it_said_is_told():
    began = time.monotonic()
    assert run("sh", "-c", "echo first; sleep 30 & wait", seconds=0.3) == (None, "first\n", "")
    assert time.monotonic() < began + 5


def test_of_files_those_that_are_there_are_read(tmp_path):
    (tmp_path / "a").write_text("one\n")
    there, none = str(tmp_path / "a"), str(tmp_path / "none")
    assert asking.read([there, none], 3)[:2] == (0, "one\n")
    assert asking.read([none], 3) == (1, "", f"{none}: No such file or directory")


def test_what_is_free_is_what_df_says(tmp_path):
    path = str(tmp_path)
    _, output, _ = asking.space([path], 3)
    df = ("df", "--block-size=1M", "--output=avail,pcent,ipcent", path)
    wanted = subprocess.run(df, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    said, *shares = output.split()
    assert (said, shares[1:]) == (path, wanted.split()[1:])
    # Others write meanwhile.
    assert abs(int(shares[0]) - int(wanted.split()[0])) < 100


def test_a_file_system_without_inodes_has_no_share_of_them():
    assert (asking.share(0, 0), asking.share(1, 3), asking.share(0, 7)) == ("-", "34%", "0%")


def test_the_disk_of_a_volume_is_where_it_is_mounted(tmp_path):
    _, output, _ = asking.volumes(["/proc/self/net", str(tmp_path)], 3)
    (one, where, *_), (two, *_) = (line.split() for line in output.splitlines())
    assert (one, where, two) == ("/proc/self/net", "/proc", str(tmp_path))


def test_a_name_without_an_address_is_told_without_one():
    assert asking.names(["localhost", "no.such.invalid"], 3)[1] == (
        "localhost 127.0.0.1\nno.such.invalid\n"
    )


def test_digests_are_those_of_sha256sum(tmp_path):
    (tmp_path / "a").write_text("lab\n")
    path = str(tmp_path / "a")
    digest = "b76025a9ca630b026d630d59a18cf414f5724d2bbf5dc4b11dd165c9c1ea8e01"
    assert asking.digests([path, str(tmp_path / "none")], 3) == (0, f"{digest} {path}\n", "")


@pytest.fixture
def site():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/well" else 503)
            self.end_headers()
            self.wfile.write(b"said")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield ["127.0.0.1", str(server.server_address[1])]
        server.shutdown()


def test_a_page_and_a_status(site):
    assert asking.page([*site, "/well"], 3) == (0, "said", "")
    assert asking.page([*site, "/ill"], 3) == (1, "said", "HTTP 503")
    assert asking.code([*site, "/ill"], 3) == (0, "503", "")


def test_who_is_silent_is_late():
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = ["127.0.0.1", str(server.getsockname()[1]), "/"]
        with pytest.raises(TimeoutError, match="timed out"):
            asking.code(place, 0.2)


def test_what_a_server_shows_over_tls_and_whom_to_trust(tmp_path):
    key, shown = str(tmp_path / "key"), str(tmp_path / "shown")
    subject = ("-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1")
    make = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key)
    subprocess.run((*make, "-out", shown, *subject), capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        place = ["127.0.0.1", str(server.server_address[1])]
        assert asking.code_by_tls([*place, "/v2/", shown], 3) == (0, "401", "")
        assert asking.certificate(place, 3)[1].strip() == (tmp_path / "shown").read_text().strip()
        with pytest.raises(ssl.SSLError, match="self-signed certificate"):
            asking.code_by_tls([*place, "/v2/"], 3)
        server.shutdown()


SERVICES = [
    {
        "Spec": {"Name": "webapp_nginx"},
        "ServiceStatus": {"RunningTasks": 2, "DesiredTasks": 3, "CompletedTasks": 0},
    }
]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [((200, SERVICES), "webapp_nginx 2/3\n"), ((503, {"message": "no manager"}), "")],
)
def test_a_manager_tells_of_its_stack(engine, answer, wanted):
    engine.answers["/services"] = answer
    assert asking.stack([], 3) == (0, wanted, "")


def test_who_was_killed_for_memory(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "PROCESSES", str(tmp_path))
    monkeypatch.setattr(asking, "CGROUPS", str(tmp_path / "cgroup"))
    (tmp_path / "4711").mkdir()
    (tmp_path / "4711/cgroup").write_text("0::/67f1\n")
    (tmp_path / "cgroup/67f1").mkdir(parents=True)
    (tmp_path / "cgroup/67f1/memory.events").write_text("oom 2\noom_kill 2\n")
    events = [{"timeNano": time, "Actor": {"ID": who}} for time, who in ((5, "67f1"), (9, "gone"))]
    engine.answers |= {
        "/events": (200, "".join(f"{json.dumps(one)}\n" for one in events).encode()),
        "/containers/67f1/json": (200, {"State": {"Pid": 4711}}),
        "/containers/gone/json": (404, {}),
    }
    assert asking.killed([], 3) == (0, "5 67f1 2\n9 gone 0\n", "")


def container(**changed):
    return {"State": {"Pid": os.getpid()}, "Config": {"Env": []}, "LogPath": "/none"} | changed


def written(tmp_path, *entries):
    """A log as Docker writes it, of (seconds ago, text), behind a line that is cut off."""
    now, lines = time.time(), ['log":"cut off"}']
    for ago, text in entries:
        at = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(now - ago))
        lines.append(json.dumps({"log": f"{text}\n", "stream": "stderr", "time": at}))
    (tmp_path / "log").write_text("".join(f"{line}\n" for line in lines))
    return str(tmp_path / "log")


def test_of_a_log_only_what_is_recent_counts(tmp_path):
    log = written(tmp_path, (90, "java.lang.OutOfMemoryError: old"), (3, "a"), (2, "b"))
    inside = container(LogPath=log)
    assert asking.logged(inside, 60) == ["a", "b"]
    assert asking.out_of_memory(["java.lang.OutOfMemoryError"], 3, inside) == (0, "", "")


def test_the_last_word_of_java_is_told_from_where_it_begins(tmp_path):
    said = "ERROR java.lang.OutOfMemoryError: {}"
    log = written(
        tmp_path, (9, said.format("first")), (5, said.format("Java heap space")), (1, "x")
    )
    assert asking.out_of_memory(["java.lang.OutOfMemoryError"], 3, container(LogPath=log)) == (
        *(0, "java.lang.OutOfMemoryError: Java heap space", ""),
    )


def served(place, *answers):
    """A server at a Unix socket or a port that gives these, one to each connection."""
    unix = isinstance(place, str)
    server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    server.bind(place)
    server.listen()
    asked = []

    def serve():
        for answer in answers:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return server, asked


ALIVE, READY = b"HTTP/1.1 200 OK\r\n\r\n", b'HTTP/1.1 503\r\n\r\n{"checks": {}}'


def test_uwsgi_is_asked_for_both_and_the_log_for_why(tmp_path):
    log = written(tmp_path, (30, "not ready: old"), (1, "not ready: mysql"), (1, "GET /"))
    server, asked = served(str(tmp_path / "s"), ALIVE, READY)
    with server:
        env = [f"APP_UWSGI_SOCKET={tmp_path}/s"]
        inside = container(Config={"Env": env}, LogPath=log)
        assert asking.django([], 3, inside) == (
            *(0, 'HTTP/1.1 200 OK\n{"checks": {}}\n', "not ready: mysql\n"),
        )
    assert b"\x09\x00PATH_INFO\x0d\x00/uwsgi_health" in asked[0]
    assert b"\x09\x00PATH_INFO\x06\x00/ready" in asked[1]


def test_a_uwsgi_that_hangs_is_late_and_what_came_before_is_told(tmp_path):
    server, _ = served(str(tmp_path / "s"), ALIVE)
    with server:
        env = [f"APP_UWSGI_SOCKET={tmp_path}/s"]
        inside = container(Config={"Env": env}, LogPath=written(tmp_path))
        assert asking.django([], 0.3, inside) == (
            *(1, "HTTP/1.1 200 OK\n", "TimeoutError: timed out"),
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters another network")
def test_a_port_is_asked_for_in_the_container_s_own_network(tmp_path):
    program = "import socket, time; s = socket.create_server(('0.0.0.0', 29000)); time.sleep(60)"
    there = ("unshare", "--net", "sh", "-c", f'ip link set lo up && exec python3 -c "{program}"')
    with subprocess.Popen(there) as process:
        inside = container(
            State={"Pid": process.pid}, Config={"Env": ["APP_UWSGI_SOCKET=0.0.0.0:29000"]}
        )
        asked = []

        def ask():
            for _ in range(100):
                try:
                    asked.append(asking.uwsgi_of(inside, 3).getpeername())
                    return
                except OSError:
                    time.sleep(0.05)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        process.kill()
    assert asked == [("127.0.0.1", 29000)]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 29000))


def test_haproxy_s_statistics(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "root", lambda _: str(tmp_path))
    (tmp_path / "run/haproxy").mkdir(parents=True)
    server, asked = served(str(tmp_path / "run/haproxy/admin.sock"), b"# pxname,\nweb,\n")
    with server:
        assert asking.statistics([], 3, container()) == (0, "# pxname,\nweb,\n", "")
    assert asked == [b"show stat\n"]


def test_a_way_that_fails_is_explained_by_the_log(site, tmp_path):
    log = written(tmp_path, (1, "x [error] 7#7: *1 connect() failed"), (1, "GET /"))
    assert asking.through([*site, "/ill"], 3, container(LogPath=log)) == (
        *(0, "503", "x [error] 7#7: *1 connect() failed"),
    )
    nobody = ["127.0.0.1", "1", "/"]
    assert asking.through(nobody, 3, container(LogPath=written(tmp_path))) == (
        *(1, "", "ConnectionRefusedError: [Errno 111] Connection refused"),
    )


@pytest.mark.parametrize(
    ("mode", "user", "group", "may"),
    [
        (0o660, 5, 7, False),
        (0o660, 5, 6, True),
        (0o600, 5, 6, False),
        (0o600, 4, 7, True),
        (0o602, 5, 7, True),
    ],
)
def test_who_may_write_to_a_socket(monkeypatch, mode, user, group, may):
    monkeypatch.setattr(asking, "root", lambda _: "")
    monkeypatch.setattr(asking, "owners", lambda _: (user, group))
    found = os.stat_result((0o140000 | mode, *(0,) * 3, 4, 6, *(0,) * 4))
    monkeypatch.setattr(os, "stat", lambda _: found)
    assert asking.may_write({}, "/socket") == may


def test_a_name_that_is_an_address_needs_no_resolver():
    inside = container(Config={"Env": ["UWSGI_URI=172.17.0.2:29000"]})
    assert asking.upstream([], 3, inside) == (0, "172.17.0.2", "")


def test_a_container_s_first_process_tells_whose_it_is():
    assert asking.owners(container()) == (os.geteuid(), os.getegid())


def test_only_the_primary_is_asked_for_the_application_s_account(site):
    assert asking.account(site, 3, container()) == (1, "", "it is not the primary")
