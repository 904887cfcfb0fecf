"""default-bridge: nginx is told django's address, which Docker deals anew at every start."""

import pytest

from lab.modes import web
from tests.conftest import TOPOLOGY
from tests.lab.web import wait_ready

SERVICES = [service for service in TOPOLOGY.web if service.mode == "default-bridge"]
SQUATTER = "squatter-of-a-test"


@pytest.mark.parametrize("service", SERVICES, ids=[service.django for service in SERVICES])
def test_nginx_follows_django_to_a_new_address(running, release, service):
    node, django = running.nodes[service.django], web.name("django", service.mode)
    image = running.site(release).images["webapp_django"]

    def address():
        return node.observe().containers[django].address

    before = address()
    try:
        node.run("docker", "stop", django)
        # Whoever starts first gets the address that has just become free.
        hold = ("--entrypoint", "sleep", image, "infinity")
        node.run("docker", "run", "--detach", "--name", SQUATTER, *hold)
        node.run("docker", "start", django)
        assert address() != before
        wait_ready(TOPOLOGY.address(service.nginx))
        told = node.observe().containers[web.name("nginx", service.mode)].told
        assert told == address()
    finally:
        node.attempt("docker", "rm", "--force", SQUATTER)
        node.attempt("docker", "start", django)
