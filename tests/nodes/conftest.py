"""The nodes through testinfra, and the answers of all probes, asked once."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
import testinfra

from lab.context import Lab
from lab.engine.ssh import send_at_once
from lab.plan.modes import web
from lab.secrets.secrets import SECRETS
from tests.conftest import TOPOLOGY
from tests.nodes import ports

FOLDER = Path(__file__).resolve().parents[2]
PROBE = FOLDER / "tests" / "probe.py"
SSH = ("ssh", "-F", str(FOLDER / ".lab" / "ssh_config"))


@pytest.fixture(scope="session", autouse=True)
def _a_lab_of_our_own():
    """Nothing is sent to the lab's addresses unless its network is this machine's neighbour."""
    Lab(TOPOLOGY).require_up()


@pytest.fixture(scope="session", autouse=True)
def asked(_a_lab_of_our_own, request):
    """What takes long to answer, asked while other tests run: name to what will be known."""
    wanted = {name for item in request.session.items for name in item.fixturenames}
    with ThreadPoolExecutor() as pool:
        yield {name: pool.submit(ask) for name, ask in QUESTIONS.items() if name in wanted}


@cache
def host(node):
    """The node through testinfra, as root, over one connection that stays open."""
    config = str(FOLDER / ".lab" / "ssh_config")
    machine = testinfra.get_host(f"paramiko://{node}", ssh_config=config, sudo=True)
    send_at_once(machine.backend.client.get_transport())
    return machine


def ssh(node, command, stdin=""):
    """Standard output of a command on a node, fed with a text."""
    done = subprocess.run(
        (*SSH, node, command), input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{node}: {command}: {done.stderr}"
    return done.stdout


@pytest.fixture(params=TOPOLOGY.names)
def node(request):
    return request.param


@pytest.fixture
def machine(node):
    return host(node)


@pytest.fixture(scope="session")
def verdicts(asked):
    """(source, target, port) -> open, mute or closed."""
    return asked["verdicts"].result()


@pytest.fixture(scope="session")
def facts(asked):
    """What tests/nodes/data_facts.py finds from inside the first web service's Django."""
    return asked["facts"].result()


def _verdicts():
    """All asked at the same time."""
    sources = ports.sources(TOPOLOGY)
    with ThreadPoolExecutor(max_workers=len(sources)) as pool:
        answers = pool.map(_ask, sources)
    return {
        (source.name, target.name, port): answer[f"{target.address}:{port}"]
        for source, answer in zip(sources, answers, strict=True)
        for target in ports.targets(TOPOLOGY)
        for port in ports.ports_from(TOPOLOGY, source)
    }


def _facts():
    service = TOPOLOGY.web[0]
    password = (SECRETS / "cassandra_admin_password").read_text()
    program = f"ADMINISTRATOR = ('lab_admin', {password!r})\n"
    program += (FOLDER / "tests" / "nodes" / "data_facts.py").read_text()
    container = web.name("django", service.mode)
    shell = f"sudo docker exec -i {container} python manage.py shell --no-imports"
    return json.loads(ssh(service.django, shell, program))


QUESTIONS = {"verdicts": _verdicts, "facts": _facts}


def _ask(source):
    asked = [
        [target.address, port]
        for target in ports.targets(TOPOLOGY)
        for port in ports.ports_from(TOPOLOGY, source)
    ]
    # The first line of standard input is the question, after the program itself.
    program = f"import sys; exec(sys.stdin.read({len(PROBE.read_text())}))"
    done = subprocess.run(
        _command(source, program),
        input=PROBE.read_text() + json.dumps(asked) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"the probe from {source.name} failed: {done.stderr}"
    return json.loads(done.stdout)


def _command(source, program):
    if source.name == ports.HOST:
        return (sys.executable, "-c", program)
    if not source.container:
        return (*SSH, source.node, f"python3 -c '{program}'")
    container = "$(sudo docker ps --quiet --filter label=lab.service=django | head -n 1)"
    return (*SSH, source.node, f"sudo docker exec -i {container} python3 -c '{program}'")
