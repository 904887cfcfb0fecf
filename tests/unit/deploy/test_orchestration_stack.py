"""The way into the Swarm stack and out of it: the site is there meanwhile."""

import pytest

from lab.deploy import deploy
from lab.errors import LabError
from tests.unit.delivered import LAB
from tests.unit.told import before, of, told

FORMED = """\
ubuntu1: swarm init
ubuntu2: join the swarm
ubuntu3: join the swarm
ubuntu4: join the swarm
"""
# A node gives port 80 up once Swarm has the release, and the next one once the first has Swarm's.
ROOM = """\
ubuntu1: stack deploy
ubuntu1: stop django-default-bridge-1
ubuntu1: rm django-default-bridge-1
ubuntu1: stop nginx-default-bridge-1
ubuntu1: rm nginx-default-bridge-1
ubuntu1: rm /etc/lab/release
ubuntu1: rm /etc/lab/secrets/django
ubuntu1: label ubuntu1 lab.nginx=yes
ubuntu1: 1 nginx by Swarm
ubuntu2: stop django-custom-bridge-1
ubuntu2: rm django-custom-bridge-1
ubuntu2: stop nginx-custom-bridge-1
ubuntu2: rm nginx-custom-bridge-1
ubuntu2: network rm webapp
ubuntu2: rm /etc/lab/release
ubuntu2: rm /etc/lab/secrets/django
ubuntu1: label ubuntu2 lab.nginx=yes
ubuntu2: 1 nginx by Swarm
"""
# Not before the balancers lead elsewhere.
SEPARATE_HOSTS_LEAVE = """\
ubuntu3: stop django-separate-hosts-1
ubuntu3: rm django-separate-hosts-1
ubuntu3: rm /etc/lab/release
ubuntu3: rm /etc/lab/secrets/django
ubuntu4: stop nginx-separate-hosts-1
ubuntu4: rm nginx-separate-hosts-1
ubuntu4: rm /home/dock/static_files
"""


def into(world):
    """The lines of the way in."""
    world.topology = LAB.with_overlay()
    deploy.deploy(world.lab, world.topology.web)
    lines = told(world.journal)
    world.journal.clear()
    return lines


def out_of(world):
    """The lines of the way out."""
    world.topology = LAB
    deploy.deploy(world.lab, world.topology.web)
    return told(world.journal)


def test_each_node_makes_room_in_its_turn(world):
    world.settle()
    lines = into(world)
    formed, room = lines.index("ubuntu1: swarm init"), lines.index("ubuntu1: stack deploy")
    assert lines[formed : formed + 4] == FORMED.splitlines()
    ready = lines.index("balancers: ready ubuntu1 ubuntu2")
    balancing = lines.index("ubuntu2: 1 nginx by Swarm") + 1
    assert lines[room:balancing] == ROOM.splitlines()
    left = [line for line in lines[ready:] if line.startswith(("ubuntu3", "ubuntu4"))]
    assert left == SEPARATE_HOSTS_LEAVE.splitlines()


ORDER = (
    ("ubuntu4: join the swarm", "ubuntu1: secret django_secret_key"),
    ("ubuntu1: secret cassandra_django_password", "ubuntu1: stack deploy"),
    ("ubuntu4: rsync add", "ubuntu1: stack deploy"),
    ("ubuntu2: 1 nginx by Swarm", "ubuntu3: exec haproxy reload-configuration.sh"),
    ("ubuntu2: 1 nginx by Swarm", "ubuntu4: exec haproxy reload-configuration.sh"),
    ("ubuntu3: exec haproxy reload-configuration.sh", "balancers: ready ubuntu1 ubuntu2"),
)


def test_the_way_in_has_its_order(world):
    world.settle()
    lines = into(world)
    assert [pair for pair in ORDER if not before(lines, *pair)] == []


# Of each node Django comes first, then Swarm's nginx goes, then its own has port 80.
BACK = """\
balancers: drain ubuntu1
balancers: answered ubuntu1
ubuntu1: write 5 files to /etc/lab/secrets/django /etc/lab/release
ubuntu1: run django-default-bridge-1 webapp_django:1
ubuntu1: write /etc/lab/read/django-default-bridge-1
ubuntu1: healthy django-default-bridge-1
ubuntu1: label ubuntu1 lab.nginx=no
ubuntu1: 0 nginx by Swarm
ubuntu1: write /etc/lab/addressed/nginx-default-bridge-1
ubuntu1: run nginx-default-bridge-1 by its script
ubuntu1: healthy nginx-default-bridge-1
ubuntu1: a user signs in
balancers: seen well ubuntu1
balancers: ready ubuntu1
balancers: drain ubuntu2
balancers: answered ubuntu2
ubuntu2: write 5 files to /etc/lab/secrets/django /etc/lab/release
ubuntu2: create network webapp
ubuntu2: run django-custom-bridge-1 webapp_django:1
ubuntu2: write /etc/lab/read/django-custom-bridge-1
ubuntu2: healthy django-custom-bridge-1
ubuntu1: label ubuntu2 lab.nginx=no
ubuntu2: 0 nginx by Swarm
ubuntu2: run nginx-custom-bridge-1 webapp_nginx:1
ubuntu2: healthy nginx-custom-bridge-1
ubuntu2: a user signs in
balancers: seen well ubuntu2
balancers: ready ubuntu2
ubuntu3: write 6 files to /etc/lab /etc/lab/secrets/django /etc/lab/release
ubuntu3: run django-separate-hosts-1 webapp_django:1
ubuntu3: write /etc/lab/read/django-separate-hosts-1
ubuntu3: healthy django-separate-hosts-1
ubuntu1: label ubuntu4 lab.nginx=no
ubuntu4: run nginx-separate-hosts-1 webapp_nginx:1
ubuntu4: volume rm webapp_static
ubuntu4: healthy nginx-separate-hosts-1
ubuntu4: a user signs in
"""
# One after another, and the first manager at last.
LEFT = """\
ubuntu1: stack rm webapp
ubuntu4: swarm leave
ubuntu3: swarm leave
ubuntu2: swarm leave
ubuntu2: restart django-custom-bridge-1 nginx-custom-bridge-1
ubuntu1: swarm leave
"""


def test_each_node_gets_its_own_containers_before_the_stack_ends(world):
    world.settle()
    into(world)
    lines = out_of(world)
    first = lines.index("balancers: drain ubuntu1")
    last = lines.index("ubuntu4: a user signs in") + 1
    end, gone = lines.index("ubuntu1: stack rm webapp"), lines.index("ubuntu1: swarm leave") + 1
    assert lines[first:last] == BACK.splitlines()
    assert lines[end:gone] == LEFT.splitlines()
    for balancer in ("ubuntu3", "ubuntu4"):
        told_of_it = f"{balancer}: exec haproxy reload-configuration.sh"
        assert last <= lines.index(told_of_it) < end


def test_there_and_back_is_as_before(world):
    release = world.settle()
    names = {name: sorted(machine.containers) for name, machine in world.machines.items()}
    files = {name: sorted(machine.files) for name, machine in world.machines.items()}
    into(world)
    out_of(world)
    assert names == {name: sorted(m.containers) for name, m in world.machines.items()}
    assert files == {name: sorted(m.files) for name, m in world.machines.items()}
    assert world.lab.require_release().tags == release.tags


def test_a_node_that_fails_on_the_way_out_leaves_the_stack_to_serve(world):
    world.settle()
    into(world)
    world.never_healthy.add(("ubuntu2", "webapp_django:1"))
    with pytest.raises(LabError, match="^ubuntu2: healthy containers: not within 60 s"):
        out_of(world)
    lines = told(world.journal)
    assert "ubuntu1: stack rm webapp" not in lines
    assert "ubuntu1: label ubuntu2 lab.nginx=no" not in lines
    # What serves is not put back to containers that are gone.
    assert of(lines, "ubuntu1")[-1] == "ubuntu1: append to /var/lib/lab/releases/journal"
