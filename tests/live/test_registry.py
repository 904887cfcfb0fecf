"""Another registry than the lab's own: it receives the images and serves the nodes."""

import pytest

from lab.config.topology import OtherRegistry
from lab.context import Lab
from lab.deploy.building import BUILDER_SOCKET
from lab.deploy.publishing import Publishing
from lab.engine.apply import apply, wait_healthy
from lab.plan import programs
from lab.plan.plans import REGISTRY, registry_trust
from tests.conftest import TOPOLOGY

PORT = 5001
HOST, CLIENT = [name for name in TOPOLOGY.names if name != TOPOLOGY.builder][:2]


@pytest.fixture
def other(running, release):
    """The lab with lab.yml's `registry` naming a second registry, which runs on another node."""
    address = f"{HOST}:{PORT}"
    settings = running.topology.settings.model_copy(
        update={"registry": OtherRegistry(address=address, ca=".lab/ca/ca.crt")}
    )
    node = running.nodes[HOST]
    as_ever = running.plan(release, HOST)
    plan = as_ever + programs.registry(running.site(release), HOST, PORT)
    node.run("install", "-d", "-o", "10006", "-g", "10006", "/var/cache/lab/registry")
    apply(node, plan, REGISTRY)
    wait_healthy(node, plan, REGISTRY)
    yield Lab(running.topology.model_copy(update={"settings": settings}))
    apply(node, as_ever, REGISTRY)
    node.run("rm", "-r", "--force", "/var/cache/lab/registry", "/etc/lab/secrets/registry")
    for trusting in (CLIENT, running.topology.builder):
        running.nodes[trusting].run("rm", "-r", "--force", f"/etc/docker/certs.d/{address}")


def test_images_go_to_the_registry_that_lab_yml_names_and_nodes_pull_from_it(other, release):
    site = other.site(release)
    name = "webapp_nginx"
    image = site.images[name]
    assert image.startswith(f"{HOST}:{PORT}/")
    with Publishing(other, release, {name: release.tags[name]}) as published:
        published.wait(name)
    client = other.nodes[CLIENT]
    client.put(registry_trust(other.secrets, other.topology.registry))
    try:
        client.run("docker", "pull", "--quiet", image)
        assert image in client.observe().images
    finally:
        client.attempt("docker", "image", "rm", image)
        other.builder.attempt("docker", "--host", BUILDER_SOCKET, "image", "rm", image)
