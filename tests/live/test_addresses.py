"""default-bridge: nginx is told django's address, which Docker deals anew at every start."""

import pytest

from lab.plan.modes import web
from lab.visitor.client import wait_ready
from tests.conftest import TOPOLOGY

SERVICES = [service for service in TOPOLOGY.web if service.mode == "default-bridge"]
SQUATTERS = tuple(f"squatter-of-a-test-{number}" for number in range(8))


@pytest.mark.parametrize("service", SERVICES, ids=[service.django for service in SERVICES])
def test_nginx_follows_django_to_a_new_address(running, release, service):
    node, django = running.nodes[service.django], web.name("django", service.mode)
    image = running.site(release).images["webapp_django"]

    def address_of(container):
        return node.inspect(container)[0]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]

    def squat(address):
        """Takes addresses, the lowest free one first, until this one is taken."""
        for squatter in SQUATTERS:
            hold = ("--name", squatter, "--entrypoint", "sleep", image, "infinity")
            node.run("docker", "run", "--detach", *hold)
            if address_of(squatter) == address:
                return
        raise AssertionError(f"{address} could not be taken")

    before = address_of(django)
    try:
        node.run("docker", "stop", django)
        squat(before)
        node.run("docker", "start", django)
        assert address_of(django) != before
        wait_ready(TOPOLOGY.address(service.nginx))
        told = node.observe().containers[web.name("nginx", service.mode)].told
        assert told == address_of(django)
    finally:
        node.attempt("docker", "rm", "--force", *SQUATTERS)
        node.attempt("docker", "start", django)
