"""MySQL's replicas made to lag: they receive what the primary wrote, and don't apply it."""

from contextlib import contextmanager

from lab.engine.ssh import wait_until
from tests.conftest import TOPOLOGY

# Nobody may write while it is held, the applier of what comes from the primary included.
HOLD = "FLUSH TABLES WITH READ LOCK; SELECT SLEEP(600) AS held_by_a_test"


@contextmanager
def frozen(lab):
    replicas = [name for name in TOPOLOGY.settings.mysql if not _is_primary(lab, name)]
    assert len(replicas) == len(TOPOLOGY.settings.mysql) - 1
    try:
        for name in replicas:
            background = ("docker", "exec", "--detach", "mysql", "mysql", "-uroot")
            lab.nodes[name].run(*background, "--execute", HOLD)
            _wait_held(lab, name)
        yield
    finally:
        for name in replicas:
            for thread in _holders(lab, name):
                _mysql(lab, name, f"KILL {thread}")


def _wait_held(lab, name):
    wait_until(
        f"{name}: a read lock",
        lambda: _holders(lab, name),
        bool,
        seconds=10,
        advice=lambda _: "SHOW PROCESSLIST",
    )


def _holders(lab, name):
    query = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
    return _mysql(lab, name, query).split()


def _is_primary(lab, name):
    return _mysql(lab, name, "SELECT @@super_read_only").strip() == "0"


def _mysql(lab, name, statement):
    command = ("docker", "exec", "mysql", "mysql", "-uroot", "--batch", "--skip-column-names")
    return lab.nodes[name].run(*command, "--execute", statement)


# The password stays in the container that has it.
AS_TEST_ACCOUNT = """
MYSQL_PWD=$(cat /run/secrets/mysql_test_password) exec \
  mysql --host "$1" --port "$2" --user django_test --skip-column-names --execute "$3"
"""


def through_the_balancer(lab, port, statement):
    """What a client that knows the virtual address alone gets to see, by the tests' account."""
    node = lab.nodes[TOPOLOGY.settings.mysql[0]]
    asked = (TOPOLOGY.virtual_address, str(port), statement)
    return node.run("docker", "exec", "mysql", "sh", "-c", AS_TEST_ACCOUNT, "sh", *asked).strip()
