"""Ways to the site: tunnels, other ports and names, and TLS in front, known to lab.yml or not."""

import json
import re
import ssl
import urllib.request
import uuid
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy.deploy import deploy
from lab.deploy.publishing import prepare
from lab.doctor.status import status
from lab.engine import steps
from lab.engine.ssh import wait_until
from lab.plan.modes import web
from lab.release.images import WEB_IMAGES
from lab.visitor.client import Client, opener
from tests.conftest import TOPOLOGY
from tests.live.support.tunnel import free_port, tunnel

pytestmark = pytest.mark.beside

# Servers that are thrown away on the builder are backups'.
SERVICE = next(s for s in TOPOLOGY.web if s.django == s.nginx and s.django != TOPOLOGY.builder)
NODE = SERVICE.django
ADDRESSES = {"the balancer": TOPOLOGY.virtual_address} | {
    service.nginx: TOPOLOGY.address(service.nginx) for service in TOPOLOGY.web
}
SITE, FRONT = "site-of-a-test", "tls-front-of-a-test"
FRONT_PORT = 8443

# What ends TLS is an nginx, as docs/ways.md configures it.
CONFIGURATION = """\
pid /run/nginx.pid;
error_log stderr;
events {}
http {
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    uwsgi_temp_path /tmp/uwsgi;
    fastcgi_temp_path /tmp/fastcgi;
    scgi_temp_path /tmp/scgi;
    access_log off;
    server {
        listen %d ssl;
        ssl_certificate /run/front.crt;
        ssl_certificate_key /run/front.key;
        location / {
            proxy_pass http://%s;
            proxy_set_header Host $http_host;
            proxy_cookie_flags ~ secure;
        }
    }
}
"""
START = """\
openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 1 \
  -subj /CN=localhost -keyout /run/front.key -out /run/front.crt
printf '%s' "$0" >/run/front.conf
exec nginx -g 'daemon off;' -c /run/front.conf
"""


class TlsClient(Client):
    """A browser that was told to take the front's certificate."""

    def __init__(self, origin):
        super().__init__("", origin=origin)
        self.base = origin
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._opener = opener(
            urllib.request.HTTPCookieProcessor(self.cookies),
            urllib.request.HTTPSHandler(context=context),
        )


@pytest.fixture(scope="module")
def password(running):
    return running.secrets["django_admin_password"]


def expect_sign_in_and_post(client, password):
    status_, _, page = client.sign_in("admin", password)
    assert (status_, "Your posts" in page) == (200, True), page
    text = f"by another way {uuid.uuid4()}"
    status_, _, page = client.post("/posts/create", {"content": text})
    assert (status_, "Posted." in page, text in page) == (200, True, True), page
    status_, _, page = client.sign_out()
    assert (status_, "Sign in" in page) == (200, True), page


def paragraph(page):
    return re.search(r"<h1>.*?</h1>\s*<p>(.*?)</p>", page, re.DOTALL)[1]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_a_tunnel_to_the_balancer_serves_all_that_a_user_needs(password, name):
    with tunnel(NODE, TOPOLOGY.virtual_address) as port:
        expect_sign_in_and_post(Client(f"{name}:{port}"), password)


@pytest.mark.parametrize("node", [service.nginx for service in TOPOLOGY.web])
def test_a_tunnel_to_a_node_s_nginx_serves_all_that_a_user_needs(password, node):
    with tunnel(node, TOPOLOGY.address(node)) as port:
        expect_sign_in_and_post(Client(f"localhost:{port}"), password)


def test_the_administration_opens_through_a_tunnel(password):
    with tunnel(NODE, TOPOLOGY.virtual_address) as port:
        client = Client(f"127.0.0.1:{port}")
        form = {"username": "admin", "password": password, "next": "/admin/"}
        status_, _, page = client.post("/admin/login/", form)
        assert (status_, "Site administration" in page) == (200, True), page
        status_, _, page = client.post("/admin/logout/", {}, page_path="/admin/")
        assert (status_, "Sign in" in page) == (200, True), page


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_redirects_leave_host_and_port_as_they_are(address):
    client = Client(address, follow=False, origin="http://localhost:18080")
    rows = {
        "/": "/posts/",
        "/posts/": "/accounts/login/?next=/posts/",
        "/admin": "/admin/",
        "/static/admin": "/static/admin/",
    }
    assert {path: client.get(path)[1]["Location"] for path in rows} == rows


@pytest.mark.parametrize(
    "origin",
    [
        f"http://{TOPOLOGY.virtual_address}:80",
        f"http://{NODE.upper()}:8080",
        f"http://{NODE}.:8080",
        f"http://{NODE}:65535",
    ],
)
def test_one_host_may_be_spelled_in_several_ways(password, origin):
    client = Client(TOPOLOGY.virtual_address, origin=origin)
    status_, _, page = client.sign_in("admin", password)
    assert (status_, "Your posts" in page) == (200, True), page


def test_an_unknown_host_is_named_on_the_page_and_in_the_log(running):
    client = Client(TOPOLOGY.address(NODE), origin="http://lab.example.org:8080")
    status_, headers, page = client.get("/posts/")
    assert status_ == 400
    assert "This lab is not known as lab.example.org:8080." in paragraph(page)
    assert "adds http://lab.example.org:8080 or https://lab.example.org:8080" in paragraph(page)
    assert "to origins in lab.yml" in paragraph(page)
    assert reasons(running, headers["X-Request-ID"]) == [
        "host lab.example.org:8080 is not among origins in lab.yml"
    ]


def test_an_origin_that_lab_yml_does_not_list_is_named_behind_tls(running, password, tls_front):
    """TLS ends in another machine's nginx, which keeps the Host; the site sees http."""
    with tls_front(f"{TOPOLOGY.address(NODE)}:80") as origin:
        client = TlsClient(origin)
        status_, headers, page = client.sign_in("admin", password)
        assert status_ == 403
        assert f"A page of {origin} sent the form" in paragraph(page)
        assert f"adds {origin}, as the browser shows it, to origins in lab.yml" in paragraph(page)
        assert reasons(running, headers["X-Request-ID"]) == [
            f"origin {origin} is not among origins in lab.yml"
        ]


def test_an_origin_that_lab_yml_lists_serves_all_behind_tls(running, password, tls_front, site):
    port = free_port()
    address = site(f"https://localhost:{port}")
    with tls_front(f"{address}:80", port) as origin:
        client = TlsClient(origin)
        expect_sign_in_and_post(client, password)
        assert {cookie.name: cookie.secure for cookie in client.cookies}["csrftoken"]


@pytest.mark.long
def test_a_lab_follows_its_lab_yml_to_a_new_origin_and_back(running, password, tls_front):
    port = free_port()
    changed = reached_by(f"https://localhost:{port}")
    assert status(running).troubles() == []
    try:
        deploy(changed, changed.topology.web)
        for address in ADDRESSES.values():
            with tls_front(f"{address}:80", port) as origin:
                expect_sign_in_and_post(TlsClient(origin), password)
    finally:
        deploy(running, TOPOLOGY.web)
    assert status(running).troubles() == []
    with tls_front(f"{TOPOLOGY.virtual_address}:80", port) as origin:
        assert TlsClient(origin).sign_in("admin", password)[0] == 403


def reasons(running, identity):
    """What the node's Django logged of a request: the reason in each of its lines."""
    name = web.name("django", SERVICE.mode)
    # uWSGI leads its own standard output to standard error.
    _, output, errors = running.nodes[NODE].attempt("docker", "logs", "--since", "1m", name)
    lines = [line for line in (output + errors).splitlines() if identity in line]
    return [json.loads(line).get("reason") for line in lines]


@pytest.fixture
def tls_front(running, release):
    """Starts what ends TLS in front of an address; yields the origin that browsers see."""
    node, image = running.nodes[NODE], running.site(release).images["webapp_nginx"]

    @contextmanager
    def start(upstream, local=0):
        node.run(
            *("docker", "run", "--detach", "--name", FRONT, "--read-only", "--cap-drop", "ALL"),
            *("--tmpfs", "/tmp", "--tmpfs", "/run", "--no-healthcheck", "--entrypoint", "sh"),
            *(image, "-c", START, CONFIGURATION % (FRONT_PORT, upstream)),
        )
        with tunnel(NODE, address_of(node, FRONT), FRONT_PORT, local) as port:
            origin = f"https://localhost:{port}"
            wait_until(
                "TLS in front", lambda: answers(origin), bool, seconds=15, advice=lambda _: ""
            )
            yield origin
        node.run("docker", "rm", "--force", FRONT)

    yield start
    node.attempt("docker", "rm", "--force", FRONT)


@pytest.fixture
def site(running):
    """Starts the whole site in one container that nobody else sees, reached by an origin."""
    node, release = running.nodes[NODE], prepare(running, WEB_IMAGES)

    def start(origin):
        site = reached_by(origin).site(release)
        service = WebService(mode="all-in-one", django=NODE, nginx=NODE)
        container = replace(web.all_in_one(site, service), name=SITE, service="", publications=())
        node.run(*steps.scratch(container))
        address = address_of(node, SITE)
        healthy = ("docker", "exec", SITE, "/usr/local/lib/webapp_nginx/healthcheck.sh")
        wait_until(
            SITE,
            lambda: node.attempt(*healthy, "/nginx_health", "/uwsgi_health")[0],
            (0).__eq__,
            seconds=60,
            advice=lambda _: "",
        )
        return address

    yield start
    node.attempt("docker", "rm", "--force", "--volumes", SITE)


def answers(origin):
    try:
        return TlsClient(origin).get("/uwsgi_health")[0] == 200
    except OSError:
        return False


def address_of(node, container):
    return node.inspect(container)[0]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def reached_by(origin):
    """The lab with this origin in its lab.yml."""
    settings = TOPOLOGY.settings.model_copy(update={"origins": (origin,)})
    return Lab(TOPOLOGY.model_copy(update={"settings": settings}))
