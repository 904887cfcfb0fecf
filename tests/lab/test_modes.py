"""One node in another mode, and back: it serves, says so, and leaves nothing behind."""

import pytest

from lab.client import Client, wait_ready
from lab.tasks.context import Lab
from lab.tasks.deploy import deploy
from lab.tasks.status import status
from tests.conftest import TOPOLOGY

OTHER = {"default-bridge": "custom-bridge", "custom-bridge": "default-bridge"}
SERVICES = [service for service in TOPOLOGY.web if service.mode in OTHER]


def left_on(node):
    """Containers, networks, volumes and files that a mode brings along."""
    found = node.observe()
    return (
        sorted(found.containers),
        sorted(found.networks),
        sorted(found.volumes),
        sorted(node.run("ls", "/etc/lab/addressed", "/etc/lab/read").split()),
    )


@pytest.mark.parametrize("service", SERVICES[-1:], ids=lambda service: service.django)
def test_a_node_changes_its_mode_and_back(running, service):
    node, other = running.nodes[service.django], OTHER[service.mode]
    changed = Lab(TOPOLOGY.with_mode(service.django, other))
    before = left_on(node)
    try:
        deploy(changed, changed.topology.web_services_of(service.django))
        wait_ready(TOPOLOGY.address(service.nginx))
        _, headers, _ = Client(TOPOLOGY.address(service.nginx)).get("/uwsgi_health")
        assert headers["X-Lab-Mode"] == other
        assert (
            f"{other}  (until the next deploy; lab.yml: {service.mode})"
            in status(running).as_table()
        )
    finally:
        deploy(running, (service,))
    assert left_on(node) == before
