"""The all-in-one image: a program that dies comes back; lost for good, it ends the container."""

import json

import pytest

from lab.deploy.publishing import prepare
from lab.engine.ssh import wait_until
from lab.plan.site import secrets_folder
from lab.release.images import WEB_IMAGES
from tests.conftest import TOPOLOGY

pytestmark = pytest.mark.beside

NAME = "all-in-one-of-a-test"
NODE = TOPOLOGY.web[0].django
ENDED_SECONDS = 60


@pytest.fixture
def container(running):
    """Starts one that nobody else sees, with variables of its own; a function that asks Docker."""
    node = running.nodes[NODE]
    release = prepare(running, WEB_IMAGES)
    site = running.site(release)

    def start(**variables):
        said = {
            "APP_NODE": NODE,
            "APP_MODE": "all-in-one",
            "APP_ALLOWED_HOSTS": "localhost",
            "APP_SECRET_KEY_FILE": "/run/secrets/django_secret_key",
            "APP_MYSQL_HOST": TOPOLOGY.virtual_address,
            "APP_CASSANDRA_NODES": TOPOLOGY.address(TOPOLOGY.settings.cassandra[0]),
            **variables,
        }
        options = [part for name, value in said.items() for part in ("--env", f"{name}={value}")]
        node.run(
            *("docker", "run", "--detach", "--name", NAME, "--read-only", "--cap-drop", "ALL"),
            *("--tmpfs", "/tmp", "--tmpfs", "/run", *options),
            *("--volume", f"{secrets_folder('django')}:/run/secrets:ro"),
            site.images["webapp_allinone"],
        )
        return lambda: node.inspect(NAME)[0]["State"]

    yield start
    node.attempt("docker", "rm", "--force", "--volumes", NAME)


def oldest(node, program):
    """Id of the oldest of the container's processes whose title begins with the program's."""
    lines = node.run("docker", "top", NAME, "-o", "pid,args").splitlines()[1:]
    found = (line.strip().split(maxsplit=1) for line in lines)
    return min((pid for pid, title in found if title.startswith(program)), key=int, default="")


def wait_state(state, enough, seconds=ENDED_SECONDS):
    return wait_until(NAME, state, enough, seconds=seconds, advice=json.dumps)


@pytest.mark.parametrize(
    "variables",
    [{"APP_SECRET_KEY_FILE": "/nowhere"}, {"NGINX_TRUSTED_PROXIES": "nonsense"}],
    ids=["uWSGI without its application", "nginx without its configuration"],
)
def test_a_program_that_cannot_start_ends_the_container(container, variables):
    ended = wait_state(container(**variables), lambda state: state["Status"] == "exited")
    assert ended["ExitCode"] == 1


@pytest.mark.parametrize("program", ["nginx: master", "uwsgi"])
def test_a_program_that_dies_comes_back(running, container, program):
    node, state = running.nodes[NODE], container()
    before = wait_state(state, lambda found: found["Health"]["Status"] == "healthy")
    # By the node: inside, no signal is missed by whoever handles none.
    killed = oldest(node, program)
    node.run("kill", "-9", killed)
    command = ("docker", "exec", NAME, "/usr/local/lib/webapp_nginx/healthcheck.sh")

    def again():
        found = oldest(node, program)
        status = node.attempt(*command, "/nginx_health", "/uwsgi_health")[0]
        return status if found not in ("", killed) else "not there yet"

    wait_until("both programs", again, lambda status: status == 0, seconds=20, advice=str)
    after = state()
    assert (after["Status"], after["StartedAt"]) == ("running", before["StartedAt"])
