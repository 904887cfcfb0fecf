"""What was recorded on a node that runs, as the lab reads it."""

from lab.balancers import haproxy
from lab.engine import observation
from lab.engine.observation import Running
from tests.unit.fake_node import OBSERVED

FOUND = observation.observation((OBSERVED / "lab-observe.json").read_text())


def test_containers_are_read_with_their_labels_and_addresses():
    assert FOUND.containers == {
        "django-default-bridge-1": Running(
            name="django-default-bridge-1",
            service="django",
            mode="default-bridge",
            image="ubuntu1:5000/webapp_django:7a9a7417046c",
            state="running",
            health="healthy",
            digest="c212ea5cfb947350",
            address="10.199.0.2",
        ),
        "nginx-default-bridge-1": Running(
            name="nginx-default-bridge-1",
            service="nginx",
            mode="default-bridge",
            image="ubuntu1:5000/webapp_nginx:0b8dcfba3db7",
            state="running",
            health="healthy",
            digest="f298571efbd89fc3",
            address="10.199.0.3",
            told="10.199.0.2",
        ),
    }
    assert (FOUND.tasks, FOUND.stack) == ({}, {})


def test_what_else_the_node_has_is_read():
    assert FOUND.networks == frozenset()
    assert FOUND.volumes == {"mysql_data", "cassandra_data", "webapp_static"}
    assert FOUND.disposable_volumes == {"webapp_static"}
    assert "ubuntu1:5000/mysql:0dcb33749690" in FOUND.images
    assert "/etc/lab/release" in FOUND.folders
    assert list(FOUND.files) == ["/etc/lab/release/release"]


def test_haproxy_s_servers_are_read():
    servers = haproxy.servers((OBSERVED / "haproxy-stat.csv").read_text())
    assert {name: str(server) for name, server in servers.items()} == {
        "ubuntu1": "UP L7OK",
        "ubuntu2": "UP L7OK",
        "ubuntu4": "UP L7OK",
    }
    assert haproxy.taken_out((OBSERVED / "haproxy-servers.txt").read_text()) == frozenset()
