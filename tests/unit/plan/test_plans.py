"""Topology -> plan: what each mode and each service wants on its node, as literal tables."""

import pytest

from lab.config.topology import WebService
from lab.plan import plans, programs
from lab.plan.modes import web
from lab.plan.records import AddressOf, File, Mount, Publication, Volume
from lab.plan.render import firewall
from lab.plan.site import Site
from lab.release import images
from lab.secrets.secrets import GENERATED
from tests.unit.delivered import LAB

TAGS = dict.fromkeys(images.IMAGES, "0123456789ab")
SECRETS = {name: f"value of {name}" for name in GENERATED} | {
    "registry.crt": "certificate",
    "registry.key": "key",
    "registry_ca.crt": "authority",
}
SITE = Site(LAB, images.references(LAB.registry, TAGS), SECRETS, "20261124-0815-abcdef")


def containers(node):
    return {container.name: container for container in plans.plan(SITE, node).containers}


@pytest.mark.parametrize(
    ("node", "names"),
    [
        (
            "ubuntu1",
            ["registry", "mysql", "cassandra", "django-default-bridge-1", "nginx-default-bridge-1"],
        ),
        (
            "ubuntu2",
            ["mysql", "cassandra", "django-custom-bridge-1", "nginx-custom-bridge-1"],
        ),
        (
            "ubuntu3",
            ["mysql", "cassandra", "django-separate-hosts-1", "haproxy", "keepalived"],
        ),
        ("ubuntu4", ["cassandra", "nginx-separate-hosts-1", "haproxy", "keepalived"]),
    ],
)
def test_each_node_runs_what_design_and_lab_yml_say(node, names):
    assert list(containers(node)) == names


# (node, container, network, published, UWSGI_URI)
WIRINGS = [
    ("ubuntu1", "django-default-bridge-1", "bridge", [], None),
    (
        "ubuntu1",
        "nginx-default-bridge-1",
        "bridge",
        [("192.168.56.11", 80)],
        AddressOf("django-default-bridge-1", 29000),
    ),
    ("ubuntu2", "django-custom-bridge-1", "webapp", [], None),
    (
        "ubuntu2",
        "nginx-custom-bridge-1",
        "webapp",
        [("192.168.56.12", 80)],
        "django-custom-bridge-1:29000",
    ),
    ("ubuntu3", "django-separate-hosts-1", "bridge", [("192.168.56.13", 29000)], None),
    (
        "ubuntu4",
        "nginx-separate-hosts-1",
        "bridge",
        [("192.168.56.14", 80)],
        "192.168.56.13:29000",
    ),
]


@pytest.mark.parametrize(("node", "name", "network", "published", "uwsgi"), WIRINGS)
def test_each_mode_wires_its_two_halves_in_its_own_way(node, name, network, published, uwsgi):
    container = containers(node)[name]
    assert container.network == network
    assert container.publications == tuple(Publication(*pair) for pair in published)
    assert dict(container.environment).get("UWSGI_URI") == uwsgi


# What Django is told without the key. (A container with another record would be replaced.)
OWN_HOSTS = (
    "192.168.56.10,192.168.56.11,192.168.56.12,192.168.56.13,192.168.56.14,"
    "ubuntu1,ubuntu2,ubuntu3,ubuntu4"
)


@pytest.mark.parametrize(
    ("origins", "hosts", "trusted"),
    [
        ((), OWN_HOSTS, None),
        (
            ("https://lab.example.org", "https://lab.example.org:8443", "http://ubuntu1:8080"),
            f"{OWN_HOSTS},lab.example.org",
            "https://lab.example.org,https://lab.example.org:8443,http://ubuntu1:8080",
        ),
    ],
    ids=["none", "some"],
)
@pytest.mark.parametrize("mode", ["default-bridge", "custom-bridge", "unix-socket", "all-in-one"])
def test_django_is_told_the_site_s_hosts_and_origins(mode, origins, hosts, trusted):
    django = next(iter(containers_in(mode, origins).values()))
    told = dict(django.environment)
    assert (told["APP_ALLOWED_HOSTS"], told.get("APP_CSRF_TRUSTED_ORIGINS")) == (hosts, trusted)


def containers_in(mode, origins=()):
    settings = LAB.settings.model_copy(update={"origins": origins})
    lab = LAB.model_copy(update={"settings": settings}).with_mode("ubuntu2", mode)
    site = Site(lab, SITE.images, SECRETS, SITE.release)
    found = plans.plan(site, "ubuntu2").containers
    return {container.name: container for container in found if container.mode}


def test_unix_socket_gives_both_the_volume_with_the_socket_and_no_port_between_them():
    django, nginx = containers_in("unix-socket").values()
    assert (django.name, nginx.name) == ("django-unix-socket-1", "nginx-unix-socket-1")
    assert dict(django.environment)["APP_UWSGI_SOCKET"] == "/shared/uwsgi.sock"
    assert dict(nginx.environment)["UWSGI_URI"] == "unix:/shared/uwsgi.sock"
    assert Mount("webapp_static", "/shared", writable=True) in django.mounts
    assert Mount("webapp_static", "/shared") in nginx.mounts
    assert (django.publications, nginx.publications) == ((), (Publication("192.168.56.12", 80),))


def test_all_in_one_is_one_container_with_what_both_halves_need():
    (both,) = containers_in("all-in-one").values()
    assert both.name == "allinone-all-in-one-1"
    assert both.image == "ubuntu1:5000/webapp_allinone:0123456789ab"
    assert both.publications == (Publication("192.168.56.12", 80),)
    assert Mount("webapp_static", "/shared") in both.mounts
    assert dict(both.environment)["APP_MODE"] == "all-in-one"
    assert dict(both.environment)["NGINX_TRUSTED_PROXIES"] == "192.168.56.13,192.168.56.14"
    assert [file.path.rsplit("/", 1)[-1] for file in both.reads] == [
        "django_secret_key",
        "mysql_django_password",
        "cassandra_django_password",
    ]


def test_static_files_come_through_a_volume_or_where_none_reaches_through_a_folder():
    shared = Mount("webapp_static", "/shared")
    assert shared in containers("ubuntu1")["nginx-default-bridge-1"].mounts
    assert shared in containers("ubuntu2")["nginx-custom-bridge-1"].mounts
    assert containers("ubuntu4")["nginx-separate-hosts-1"].mounts == (
        Mount("/home/dock/static_files", "/shared/static_root"),
    )
    assert plans.plan(SITE, "ubuntu4").volumes == (Volume("cassandra_data"),)


def test_a_new_release_that_changes_no_image_replaces_no_container():
    later = Site(LAB, SITE.images, SECRETS, "20261125-0900-fedcba")
    for node in LAB.names:
        before = [c.digest for c in plans.plan(SITE, node).containers]
        assert [c.digest for c in plans.plan(later, node).containers] == before


def test_another_static_set_is_told_to_django_and_replaces_no_container():
    tags = TAGS | {"webapp_static": "ba9876543210"}
    later = Site(LAB, images.references(LAB.registry, tags), SECRETS, SITE.release)
    for node, told in {"ubuntu1": True, "ubuntu2": True, "ubuntu3": True, "ubuntu4": False}.items():
        before, after = plans.plan(SITE, node), plans.plan(later, node)
        assert [c.digest for c in before.containers] == [c.digest for c in after.containers]
        assert set(after.all_files) - set(before.all_files) == (
            {File("/etc/lab/release/static_set", "ba9876543210\n")} if told else set()
        )
        assert ("ubuntu1:5000/webapp_static:ba9876543210" in after.images) == told


def test_any_static_set_can_be_laid_beside_those_that_pages_name():
    command = web.publish_static(SITE, "ba9876543210", ("0123456789ab", "fedcba987654"))
    assert command[-5:] == (
        "webapp_static:/shared",
        "ubuntu1:5000/webapp_static:ba9876543210",
        "ba9876543210",
        "0123456789ab",
        "fedcba987654",
    )


def test_a_new_tag_replaces_the_containers_of_that_image_alone():
    tags = TAGS | {"webapp_django": "ba9876543210"}
    later = Site(LAB, images.references(LAB.registry, tags), SECRETS, "x")
    before, after = plans.plan(SITE, "ubuntu1"), plans.plan(later, "ubuntu1")
    changed = [
        old.name
        for old, new in zip(before.containers, after.containers, strict=True)
        if old.digest != new.digest
    ]
    assert changed == ["django-default-bridge-1"]


def test_no_secret_stands_in_a_container_s_record_but_for_its_files():
    for node in LAB.names:
        for container in plans.plan(SITE, node).containers:
            assert "value of" not in repr((container.environment, container.command))
            for file in container.reads:
                assert file.secret == ("/secrets/" in file.path)
                assert not file.secret or (file.mode == 0o600 and file.owner > 10000)


INTERNAL = "3306,3307,33061,9200,7000,9042,5000"
NODES = "192.168.56.11,192.168.56.12,192.168.56.13,192.168.56.14"


SWARM = [f"2377,7946 {NODES} tcp", f"7946,4789 {NODES} udp"]


@pytest.mark.parametrize("lab", [LAB, LAB.with_overlay()], ids=["lab.yml", "overlay"])
@pytest.mark.parametrize(
    ("node", "to_uwsgi"),
    [
        ("ubuntu1", "192.168.56.11"),
        ("ubuntu2", "192.168.56.12"),
        ("ubuntu3", "192.168.56.14"),
        ("ubuntu4", "192.168.56.14"),
    ],
)
def test_the_firewall_lets_nodes_in_and_to_uwsgi_one_nginx_alone(lab, node, to_uwsgi):
    if lab.overlay:
        to_uwsgi = lab.address(node)
    assert firewall(lab, node).splitlines() == [
        f"{INTERNAL} {NODES} tcp",
        *SWARM,
        f"29000 {to_uwsgi} tcp",
    ]


@pytest.mark.parametrize("node", ["ubuntu1", "ubuntu2", "ubuntu3", "ubuntu4"])
def test_every_node_is_told_the_names_of_all(node):
    files = {file.path: file.content for file in plans.plan(SITE, node).files}
    assert files["/etc/lab/hosts"] == (
        "192.168.56.11 ubuntu1\n192.168.56.12 ubuntu2\n192.168.56.13 ubuntu3\n"
        "192.168.56.14 ubuntu4\n"
    )


def test_of_two_djangos_on_a_node_the_firewall_opens_the_one_whose_nginx_is_elsewhere():
    beside = WebService(mode="custom-bridge", django="ubuntu3", nginx="ubuntu3")
    settings = LAB.settings.model_copy(update={"web": (*LAB.web, beside)})
    lab = LAB.model_copy(update={"settings": settings})
    assert firewall(lab, "ubuntu3").splitlines()[-1] == "29000 192.168.56.14 tcp"


@pytest.mark.parametrize(
    ("host", "sixteenths"),
    [(11, (-8, -4, 0, 4)), (12, (-6, -2, 2, 6)), (13, (-7, -3, 1, 5)), (14, (-5, -1, 3, 7))],
)
def test_tokens_are_even_and_follow_from_the_address_alone(host, sixteenths):
    assert programs.ring_tokens(host) == tuple(part * 2**60 for part in sixteenths)


def test_no_two_addresses_share_a_token():
    tokens = [token for host in range(2, 255) for token in programs.ring_tokens(host)]
    assert len(set(tokens)) == 4 * 253
    assert min(tokens) >= -(2**63)
    assert max(tokens) < 2**63
