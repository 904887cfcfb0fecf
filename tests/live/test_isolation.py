"""Each half is its own: replaced, limited and moved without the other noticing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.config.modes import FRONTS
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy import static
from lab.deploy.up import bring_up
from lab.doctor.status import status
from lab.engine.apply import apply, wait_healthy
from lab.engine.ssh import wait_until
from lab.release import images
from lab.visitor.client import Client, wait_ready
from tests.conftest import TOPOLOGY

# The first whose halves meet over a port.
SERVICE = next(s for s in TOPOLOGY.web if s.mode not in ("all-in-one", "unix-socket"))
NODE, ADDRESS = SERVICE.django, TOPOLOGY.address(SERVICE.nginx)
SLOW_SECONDS = 4
# In a container's /proc/net/tcp: connections to port 29000 that are established.
CONNECTED = '$2 ~ /:7148$/ && $4 == "01"'


def named(lab, node, service):
    """The one container of a program on a node: id, start, name."""
    (name,) = [
        c.name for c in lab.nodes[node].observe().containers.values() if c.service == service
    ]
    (found,) = lab.nodes[node].inspect(name)
    return found["Id"], found["State"]["StartedAt"], name


@pytest.fixture
def django(running):
    """Runs something inside Django's container; a list: exit status, output, errors."""
    name = named(running, NODE, "django")[2]

    def inside(*command):
        return running.nodes[NODE].attempt("docker", "exec", name, *command)

    return inside


def with_new_configuration(running, release):
    """The proxies that nginx believes, named in another order."""
    order = tuple(reversed(TOPOLOGY.settings.balancers))
    settings = TOPOLOGY.settings.model_copy(update={"balancers": order})
    changed = Lab(TOPOLOGY.model_copy(update={"settings": settings}))
    return changed.plan(release, SERVICE.nginx)


def with_new_version(running, release):
    """As if another image had been built: this one under another tag."""
    tags = {**release.tags, "webapp_nginx": "another-tag"}
    node, registry = running.nodes[SERVICE.nginx], TOPOLOGY.registry
    old = images.reference(registry, "webapp_nginx", release.tags["webapp_nginx"])
    node.run("docker", "tag", old, images.reference(registry, "webapp_nginx", "another-tag"))
    return running.plan(release.model_copy(update={"tags": tags}), SERVICE.nginx)


@pytest.fixture(scope="module")
def nginx_of_lab_yml(running, release):
    """What nginx is made into by tests of this file is no longer so after them."""
    yield
    apply(running.nodes[SERVICE.nginx], running.plan(release, SERVICE.nginx), FRONTS)
    wait_ready(ADDRESS)


@pytest.mark.usefixtures("nginx_of_lab_yml")
@pytest.mark.parametrize("changed", [with_new_configuration, with_new_version])
def test_nginx_is_replaced_while_django_runs_on_and_a_request_in_flight_is_finished(
    running, release, django, changed
):
    client = Client(ADDRESS)
    client.sign_in("admin", running.secrets["django_admin_password"])
    node = running.nodes[SERVICE.nginx]
    django_before, nginx_before = (
        named(running, NODE, "django"),
        named(running, SERVICE.nginx, "nginx"),
    )
    plan = changed(running, release)
    slow = f"/admin/rehearsal/slow?seconds={SLOW_SECONDS}"
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(client.get, slow)
        wait_until(
            "a request in flight",
            lambda: django("awk", CONNECTED, "/proc/net/tcp")[1],
            bool,
            seconds=SLOW_SECONDS / 2,
            advice=lambda _: "nginx's log",
        )
        assert apply(node, plan, FRONTS)
        status_, _, text = in_flight.result()
    assert (status_, text) == (200, f"answered after {SLOW_SECONDS} s\n")
    wait_healthy(node, plan, FRONTS)
    assert named(running, NODE, "django") == django_before
    assert named(running, SERVICE.nginx, "nginx")[0] != nginx_before[0]


EATERS = {
    # Kept so that nothing is freed; the kernel ends it when the container's memory is used up.
    "memory": "hold = []\nwhile True: hold.append(b'x' * 2**20)",
    "processes": (
        "import os, time\ncount = 0\n"
        "try:\n"
        "    while count < 1000:\n"
        "        if os.fork() == 0: time.sleep(10); os._exit(0)\n"
        "        count += 1\n"
        "except OSError: print('refused after', count)"
    ),
    "processor": (
        "import os, time\n"
        "for _ in range(3): os.fork()\n"
        "end = time.monotonic() + 3\n"
        "while time.monotonic() < end: pass"
    ),
}


def neighbours_serve():
    """nginx beside it, and the other nodes, answer as ever."""
    assert Client(ADDRESS).get("/nginx_health", 5)[0] == 200
    for _ in range(3):
        assert Client(TOPOLOGY.virtual_address).get("/uwsgi_health", 5)[0] == 200


def test_a_container_that_eats_memory_is_stopped_at_its_own_limit(running, django):
    with ThreadPoolExecutor() as pool:
        eating = pool.submit(django, "python3", "-c", EATERS["memory"])
        while not eating.done():
            neighbours_serve()
    assert eating.result()[0] == 137
    neighbours_serve()
    others = ("mysql", "cassandra", "nginx")
    found = running.nodes[NODE].observe().containers.values()
    assert all(running.well for running in found if running.service in others)
    wait_ready(ADDRESS)


def test_a_container_that_starts_processes_is_refused_at_its_own_limit(running, django):
    node, name = running.nodes[NODE], named(running, NODE, "django")[2]
    form = ("docker", "stats", "--no-stream", "--format", "{{.PIDs}}", name)
    with ThreadPoolExecutor() as pool:
        eating = pool.submit(django, "python3", "-c", EATERS["processes"])
        wait_until(
            "the limit",
            lambda: int(node.run(*form)),
            lambda count: count >= TOPOLOGY.limits.django.pids - 1,
            seconds=20,
            advice=lambda _: "docker stats",
        )
        neighbours_serve()
        ended, output, _ = eating.result()
    assert ended == 0
    assert output.startswith("refused after ")
    assert 0 < int(output.split()[-1]) < TOPOLOGY.limits.django.pids
    wait_ready(ADDRESS)


def test_a_container_that_computes_gets_its_own_share_and_no_more(running, django):
    node, name = running.nodes[NODE], named(running, NODE, "django")[2]
    with ThreadPoolExecutor() as pool:
        eating = pool.submit(django, "python3", "-c", EATERS["processor"])
        form = ("docker", "stats", "--no-stream", "--format", "{{.CPUPerc}}", name)
        used = wait_until(
            "the eater at work",
            lambda: float(node.run(*form).strip().rstrip("%")) / 100,
            lambda share: share > TOPOLOGY.limits.django.cpus / 2,
            seconds=10,
            advice=lambda _: "docker stats",
        )
        neighbours_serve()
        eating.result()
    assert used < TOPOLOGY.limits.django.cpus * 1.2


# Django itself may write to no disk. As one of its container's programs, to its volume.
WRITE = """\
found=$(find /sys/fs/cgroup -path "*$0*" -name cgroup.procs)
for programs in $found; do echo $$ > "$programs"; done
trap 'rm "$1/eater"' EXIT
dd if=/dev/zero of="$1/eater" bs=1M count="$2" oflag=direct
"""


def test_a_container_that_writes_is_slowed_to_its_own_limit(running):
    limit = TOPOLOGY.limits.django.write
    mebibytes = 3 * limit
    identity, _, _ = named(running, NODE, "django")
    arguments = (identity, static.VOLUME, str(mebibytes))
    with ThreadPoolExecutor() as pool:
        eating = pool.submit(running.nodes[NODE].attempt, "bash", "-c", WRITE, *arguments)
        while not eating.done():
            neighbours_serve()
        ended, _, errors = eating.result()
    assert ended == 0, errors
    seconds = float(errors.split(", ")[-2].removesuffix(" s"))
    assert mebibytes / seconds < 1.3 * limit
    neighbours_serve()


APART = [service for service in TOPOLOGY.web if service.mode == "separate-hosts"]
FREE = [
    name
    for name in TOPOLOGY.names
    if name not in [service.django for service in APART] + [service.nginx for service in APART]
]


@pytest.mark.long
@pytest.mark.skipif(not (APART and FREE), reason="lab.yml has no pair and no third node to move to")
@pytest.mark.parametrize("half", ["django", "nginx"])
def test_each_half_moves_to_another_host_by_changing_lab_yml_alone(running, half):
    (service, *_), target = APART, FREE[-1]
    moved = WebService(**service.model_dump() | {half: target})
    # Its port 80 goes to the nginx that moves in.
    others = [s for s in TOPOLOGY.web if s != service and (half == "django" or s.nginx != target)]
    settings = TOPOLOGY.settings.model_copy(update={"web": (*others, moved)})
    changed = Lab(TOPOLOGY.model_copy(update={"settings": settings}))
    try:
        bring_up(changed)
        assert status(changed).troubles() == []
        status_, headers, _ = Client(TOPOLOGY.address(moved.nginx)).get("/uwsgi_health")
        assert (status_, headers["X-Lab-Node"]) == (200, moved.django)
        left = running.nodes[getattr(service, half)].observe().containers.values()
        assert half not in [c.service for c in left if c.mode == "separate-hosts"]
    finally:
        bring_up(running)
    assert status(running).troubles() == []
