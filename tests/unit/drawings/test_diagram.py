"""The drawings in docs/modes: they are of the lab as delivered, and follow from its plans alone."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lab.config import topology
from lab.config.modes import MODES
from lab.config.paths import FOLDER
from lab.drawings import diagram, write
from lab.drawings.svg import svg
from lab.plan import render
from lab.plan.modes import custom_bridge, overlay, separate_hosts, web
from tests.unit.delivered import LAB, TEXT

NAMES = [
    *("default-bridge", "custom-bridge", "unix-socket", "all-in-one"),
    *("separate-hosts", "overlay", "lab"),
]
BRIDGE, USER_DEFINED = "Docker's default bridge", "user-defined network webapp"
SWARM = "overlay network webapp"


def drawn(name, lab=LAB):
    """The drawing of that name, as a reader of XML sees it."""
    text = svg(dict(diagram.drawings(lab))[name])
    return ElementTree.fromstring(text)  # noqa: S314 our own


def texts(root, kind=None):
    found = root.iter("{http://www.w3.org/2000/svg}text")
    return [
        " ".join((element.text, *(part.text for part in element)))
        for element in found
        if kind in (None, element.get("class"))
    ]


def shapes(root, kind):
    return [element for element in root.iter() if element.get("class") == kind]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_drawings_are_of_the_lab_as_delivered(name):
    committed = (FOLDER / write.DRAWINGS_FOLDER / f"{name}.svg").read_text()
    assert committed == svg(dict(diagram.drawings(LAB))[name]), (
        f"docs/modes/{name}.svg is stale: run `fab diagram` with lab.yml as delivered"
    )


def test_every_mode_is_drawn_and_shown_in_its_documentation():
    assert [name for name, _ in diagram.drawings(LAB)] == NAMES
    page = (FOLDER / "docs" / "modes.md").read_text()
    for name in NAMES:
        assert f"](modes/{name}.svg)" in page


# (drawing, labels of the arrows to and from nginx, how the last of them leads to Django)
CALLS = [
    ("default-bridge", ["django's IP:29000", ":80"], "asked of Docker at each start"),
    ("custom-bridge", ["django-custom-bridge-1:29000", ":80"], "by Docker's DNS"),
    ("unix-socket", ["unix:/shared/uwsgi.sock", ":80"], "a socket in the shared volume"),
    ("all-in-one", [":80"], None),
    ("separate-hosts", ["192.168.56.13:29000", ":80"], "a port of the other node"),
    (
        "overlay",
        [*["tasks.webapp_django:29000"] * 2, ":80", ":80"],
        "every task, by Swarm's DNS",
    ),
    (
        "lab",
        [
            *("django's IP:29000", "django-custom-bridge-1:29000", "192.168.56.13:29000"),
            *(":80", ":80", ":80"),
        ],
        "a port of the other node",
    ),
]


@pytest.mark.parametrize(("name", "labels", "how"), CALLS, ids=NAMES)
def test_arrows_say_what_nginx_is_told(name, labels, how):
    root = drawn(name)
    assert texts(root, "told mid") == labels
    assert len(shapes(root, "line")) == len(labels) + 1  # and the browser's
    assert how is None or how in texts(root, "mid")


# (drawing, nodes, networks, containers)
PLACES = [
    (
        "default-bridge",
        ["ubuntu1 192.168.56.11"],
        [BRIDGE],
        ["nginx-default-bridge-1", "django-default-bridge-1"],
    ),
    (
        "custom-bridge",
        ["ubuntu1 192.168.56.11"],
        [USER_DEFINED],
        ["nginx-custom-bridge-1", "django-custom-bridge-1"],
    ),
    (
        "unix-socket",
        ["ubuntu1 192.168.56.11"],
        [BRIDGE],
        ["nginx-unix-socket-1", "django-unix-socket-1"],
    ),
    ("all-in-one", ["ubuntu1 192.168.56.11"], [BRIDGE], ["allinone-all-in-one-1"]),
    (
        "separate-hosts",
        ["ubuntu4 192.168.56.14", "ubuntu3 192.168.56.13"],
        [BRIDGE, BRIDGE],
        ["nginx-separate-hosts-1", "django-separate-hosts-1"],
    ),
    (
        "overlay",
        ["ubuntu1 192.168.56.11", "ubuntu2 192.168.56.12", "any node Swarm chooses"],
        [SWARM, SWARM, SWARM],
        ["webapp_nginx", "webapp_nginx", "webapp_django"],
    ),
]


@pytest.mark.parametrize(("name", "nodes", "networks", "boxes"), PLACES, ids=NAMES[:-1])
def test_containers_stand_in_their_networks_and_nodes(name, nodes, networks, boxes):
    root = drawn(name)
    assert texts(root, "name") == nodes
    assert len(shapes(root, "place")) == len(nodes)
    assert [text for text in texts(root) if text in (BRIDGE, USER_DEFINED, SWARM)] == networks
    others = ("browser", "HAProxy", "MySQL", "Cassandra")
    assert [text for text in texts(root, "name mid") if text not in others] == boxes


def test_uwsgi_s_port_is_published_in_separate_hosts_alone_and_to_nginx_s_node_alone():
    assert {"port 192.168.56.13:29000", "open to ubuntu4 alone"} < set(
        texts(drawn("separate-hosts"))
    )
    for name in ("default-bridge", "custom-bridge", "unix-socket", "overlay"):
        assert texts(drawn(name)).count("no port published") == 1


def test_in_unix_socket_and_all_in_one_no_port_lies_between_nginx_and_django():
    for name in ("unix-socket", "all-in-one"):
        assert not [text for text in texts(drawn(name)) if "29000" in text]
    assert "volume webapp_static: static files and uwsgi.sock" in texts(drawn("unix-socket"))


def test_static_files_are_shared_or_copied():
    assert "volume webapp_static: static files" in texts(drawn("custom-bridge"))
    assert {"/home/dock/static_files", "rsync"} < set(texts(drawn("separate-hosts")))
    assert texts(drawn("overlay")).count("laid by deployments") == 2


def test_the_balancer_and_the_databases_are_where_their_clients_are_told():
    for name in NAMES:
        assert {
            *("192.168.56.10:80", "on ubuntu3 or ubuntu4"),
            *("192.168.56.10", "3306 writes, 3307 reads"),
            *("192.168.56.11:9042", "192.168.56.12:9042"),
        } < set(texts(drawn(name)))


def test_the_whole_lab_names_what_else_runs_on_each_node():
    assert [text for text in texts(drawn("lab")) if text.startswith("also ")] == [
        "also registry, mysql, cassandra",
        "also mysql, cassandra",
        "also cassandra, haproxy,",
        "also mysql, cassandra, haproxy,",
    ]


# (drawing, what is changed in the code, the line that has to follow)
CHANGES = [
    ("custom-bridge", (custom_bridge, "UWSGI_PORT", 29001), "django-custom-bridge-1:29001"),
    ("custom-bridge", (custom_bridge, "NETWORK", "shop"), "user-defined network shop"),
    ("default-bridge", (web, "WEB_PORT", 8080), "port 192.168.56.11:8080"),
    ("separate-hosts", (separate_hosts, "UWSGI_PORT", 29001), "192.168.56.13:29001"),
    ("overlay", (overlay, "REPLICAS", 5), "5 tasks"),
    ("overlay", (overlay, "STACK", "shop"), "tasks.shop_django:29000"),
]


@pytest.mark.parametrize(("name", "change", "line"), CHANGES)
def test_a_changed_record_changes_the_drawing(monkeypatch, name, change, line):
    assert line not in texts(drawn(name))
    monkeypatch.setattr(*change)
    assert line in texts(drawn(name))


def test_a_changed_row_changes_the_drawing(monkeypatch):
    changed = replace(MODES["separate-hosts"], static_folder="/srv/static")
    monkeypatch.setitem(MODES, "separate-hosts", changed)
    assert "/srv/static" in texts(drawn("separate-hosts"))


def test_a_port_that_the_balancers_do_not_lead_to_has_no_arrow(monkeypatch):
    monkeypatch.setattr(web, "WEB_PORT", 8080)
    assert texts(drawn("default-bridge"), "told mid") == ["django's IP:29000"]


def test_a_port_that_the_firewall_leaves_open_is_not_drawn_as_closed(monkeypatch):
    monkeypatch.setattr(render, "UWSGI_PORT", 1)
    assert "open to ubuntu4 alone" not in texts(drawn("separate-hosts"))


def test_another_lab_is_drawn_as_it_is_and_what_it_has_no_room_for_is_named():
    text = TEXT.replace("default-bridge, django: ubuntu1", "separate-hosts, django: ubuntu2")
    text = text.replace("  - {mode: custom-bridge, django: ubuntu2, nginx: ubuntu2}\n", "")
    text = text.replace("  ubuntu4: {", "  ubuntu5: {host: 15, memory: 1024}\n  ubuntu4: {")
    lab = topology.load(text, {"LAB_SUBNET": "10.3.0.0/24"})
    missing = dict(diagram.drawings(lab))["unix-socket"]
    assert missing == "lab.yml has no web service that has its node to itself"
    assert texts(drawn("lab", lab), "name") == [
        *("ubuntu1 10.3.0.11", "ubuntu2 10.3.0.12"),
        *("ubuntu4 10.3.0.14", "ubuntu3 10.3.0.13", "ubuntu5"),
    ]


def test_drawings_name_themselves_and_load_nothing():
    for name in NAMES:
        root = drawn(name)
        (title,) = root.iter("{http://www.w3.org/2000/svg}title")
        (description,) = root.iter("{http://www.w3.org/2000/svg}desc")
        assert title.text == ("the whole lab" if name == "lab" else name)
        assert description.text.startswith("HAProxy: 192.168.56.10:80, on ubuntu3 or ubuntu4. ")
        assert not [e for e in root.iter() if "href" in " ".join(e.keys())]
        assert len(ElementTree.tostring(root)) < 12_000


def test_drawing_twice_changes_nothing_the_second_time(tmp_path):
    assert write.draw(LAB, tmp_path) == len(NAMES)
    assert write.draw(LAB, tmp_path) == 0
