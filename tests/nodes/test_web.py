"""The web as a client sees it: headers, health, logs that keep the client and the request's id."""

import json
import urllib.error
import urllib.request
import uuid

import pytest

from lab.visitor.client import opener
from lab.visitor.journey import style_sheets
from tests.conftest import TOPOLOGY
from tests.nodes.conftest import host

VIRTUAL = f"http://{TOPOLOGY.virtual_address}"
NGINX = {service.nginx: service for service in TOPOLOGY.web}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def get(url, method="GET", **headers):
    """Status, headers and text of an answer; redirects are answers."""
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310
    try:
        with opener(NoRedirect()).open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


@pytest.mark.parametrize("nginx", NGINX)
def test_each_nginx_answers_for_itself_and_through_to_its_own_django(nginx):
    address = TOPOLOGY.address(nginx)
    assert get(f"http://{address}/nginx_health")[0] == 200
    status, headers, _ = get(f"http://{address}/uwsgi_health")
    assert status == 200
    assert headers["X-Lab-Node"] == NGINX[nginx].django
    assert headers["X-Lab-Mode"] == NGINX[nginx].mode


@pytest.mark.parametrize("nginx", NGINX)
def test_each_django_reaches_both_databases_and_cassandra(nginx):
    status, _, text = get(f"http://{TOPOLOGY.address(nginx)}/ready")
    assert (status, json.loads(text)) == (
        200,
        {"ready": True, "checks": {"mysql_write": "ok", "mysql_read": "ok", "cassandra": "ok"}},
    )


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/", 302, "/posts/"),
        ("/posts/", 302, "/accounts/login/?next=/posts/"),
        ("/posts/list", 302, None),
        ("/posts/create", 302, "/accounts/login/?next=/posts/create"),
        ("/accounts/login/", 200, None),
        ("/accounts/logout/", 405, None),
        ("/admin/", 302, "/admin/login/?next=/admin/"),
        ("/nothing/here", 404, None),
    ],
)
def test_paths_of_the_contract_answer_through_the_balancer(path, status, location):
    found, headers, _ = get(VIRTUAL + path)
    assert found == status
    if location:
        assert headers["Location"] == location
    for name in ("X-Lab-Node", "X-Lab-Mode", "X-Lab-Release", "X-Request-ID"):
        assert headers[name], name


# What a request has besides its first line, and how nginx and the balancer answer it.
SIZES = {
    "nothing": ({}, 200, 200),
    "a cookie of 8,000 bytes": ({"Cookie": "a=" + "b" * 7998}, 200, 200),
    "a cookie of 8,200 bytes": ({"Cookie": "a=" + "b" * 8198}, 400, 400),
    "14 kB": ({"Cookie": "a" * 7000, "X-More": "a" * 7000}, 200, 200),
    "24 kB": ({f"X-{n}": "a" * 8000 for n in range(3)}, 200, 400),
    "40 kB": ({f"X-{n}": "a" * 8000 for n in range(5)}, 400, 400),
    "90 headers": ({f"X-{n}": "a" for n in range(90)}, 200, 200),
    "900 headers": ({f"X-{n}": "a" for n in range(900)}, 200, 400),
    "1,100 headers": ({f"X-{n}": "a" for n in range(1100)}, 400, 400),
}


@pytest.mark.parametrize("size", SIZES)
def test_headers_are_let_in_whole_or_refused(size):
    headers, of_nginx, of_balancer = SIZES[size]
    for nginx in NGINX:
        assert get(f"http://{TOPOLOGY.address(nginx)}/uwsgi_health", **headers)[0] == of_nginx
    assert get(f"{VIRTUAL}/uwsgi_health", **headers)[0] == of_balancer


@pytest.mark.parametrize(
    ("letters", "of_nginx", "of_balancer"),
    [(4000, 200, 200), (8100, 200, 200), (8200, 414, 414), (14000, 414, 414), (16000, 414, 400)],
)
@pytest.mark.parametrize("form", ["/uwsgi_health?{}", "/uwsgi_health?a={}"])
def test_an_address_is_answered_or_refused_as_too_long(form, letters, of_nginx, of_balancer):
    path = form.format("a" * letters)
    for nginx in NGINX:
        assert get(f"http://{TOPOLOGY.address(nginx)}{path}")[0] == of_nginx
    assert get(VIRTUAL + path)[0] == of_balancer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/" + "a" * 8100, 404),
        ("/posts/?" + "a" * 7900, 302),
        # Quoted in the way to the login it would be three times as long.
        ("/posts/?" + "=" * 7900, 414),
        ("/posts/?" + '"' * 8000, 414),
        ("/posts?" + "a" * 7900, 301),
    ],
    ids=["path", "query", "quoted query", "quotes", "slash"],
)
def test_a_long_address_is_answered_by_django(path, status):
    found, headers, _ = get(VIRTUAL + path)
    assert (found, bool(headers["X-Lab-Node"])) == (status, True)


@pytest.mark.parametrize("nginx", NGINX)
def test_whoever_stores_a_static_file_is_told_that_encodings_differ(nginx):
    base = f"http://{TOPOLOGY.address(nginx)}"
    for path in style_sheets(get(f"{base}/accounts/login/")[2]):
        for accepted, encoding in (("br", "br"), ("gzip", "gzip"), ("identity", None)):
            sent = {"Accept-Encoding": accepted}
            status, headers, _ = get(base + path, "HEAD", **sent)
            assert (status, headers["Content-Encoding"]) == (200, encoding)
            assert headers["Vary"] == "Accept-Encoding"
            sent["If-None-Match"] = headers["ETag"]
            status, headers, _ = get(base + path, "HEAD", **sent)
            assert (status, headers["Vary"]) == (304, "Accept-Encoding")


def test_consecutive_requests_are_served_by_different_nodes():
    served = {get(f"{VIRTUAL}/uwsgi_health")[1]["X-Lab-Node"] for _ in TOPOLOGY.web}
    assert served == {service.django for service in TOPOLOGY.web}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-123", True), ("a" * 64, True), ("a" * 65, False), ("two words", False), ("<i>", False)],
)
def test_a_request_id_is_passed_on_if_well_formed_and_made_otherwise(sent, kept):
    found = get(f"{VIRTUAL}/uwsgi_health", **{"X-Request-ID": sent})[1]["X-Request-ID"]
    assert (found == sent) == kept
    assert found


def test_every_log_keeps_the_client_s_address_and_the_request_s_id():
    request_id = str(uuid.uuid4())
    headers = get(f"{VIRTUAL}/accounts/login/", **{"X-Request-ID": request_id})[1]
    service = next(s for s in TOPOLOGY.web if s.django == headers["X-Lab-Node"])
    gateway = str(TOPOLOGY.subnet.network_address + 1)
    logs = {
        "haproxy": TOPOLOGY.settings.balancers,
        "nginx": (service.nginx,),
        "django": (service.django,),
    }
    for program, nodes in logs.items():
        lines = [line for node in nodes for line in _lines(node, program, request_id)]
        assert len(lines) == 1, (program, lines)
        assert gateway in lines[0], (program, lines[0])


def _lines(node, program, text):
    command = (
        f"for id in $(docker ps --quiet --filter label=lab.service={program});"
        " do docker logs --since 1m $id 2>&1; done"
    )
    return [line for line in host(node).check_output(command).splitlines() if text in line]


def test_a_client_is_not_believed_about_where_it_comes_from():
    """Only the balancers may say for whom they ask: nginx's own log has the true address."""
    service = TOPOLOGY.web[0]
    request_id = str(uuid.uuid4())
    claims = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": request_id}
    get(f"http://{TOPOLOGY.address(service.nginx)}/accounts/login/", **claims)
    lines = _lines(service.nginx, "nginx", request_id)
    assert lines
    assert not [line for line in lines if "203.0.113.9" in line]


@pytest.mark.parametrize(
    ("environment", "said"),
    [("", "UWSGI_URI"), ("--env UWSGI_URI=nonsense", "UWSGI_URI")],
    ids=["missing", "malformed"],
)
def test_nginx_without_a_uwsgi_to_talk_to_says_so_and_exits_1(environment, said):
    machine = host(TOPOLOGY.web[0].nginx)
    image = machine.check_output(
        "docker ps --filter label=lab.service=nginx --format '{{.Image}}' | head -n 1"
    )
    ended = machine.run(f"docker run --rm --network none {environment} {image}")
    assert ended.rc == 1
    assert said in ended.stderr
