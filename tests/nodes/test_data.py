"""The data tier: formed, durable, reached through the balancer, with no right to spare."""

import json

import pytest

from lab.plan.modes import web
from lab.secrets.secrets import SECRETS
from tests.conftest import TOPOLOGY
from tests.nodes.conftest import FOLDER, host, ssh

MYSQL_SETTINGS = {
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_doublewrite": "ON",
    "gtid_mode": "ON",
    "group_replication_single_primary_mode": "ON",
    "group_replication_consistency": "BEFORE_ON_PRIMARY_FAILOVER",
    "character_set_server": "utf8mb4",
}


@pytest.fixture(scope="session")
def facts():
    """What tests/nodes/data_facts.py finds from inside the first web service's Django."""
    service = TOPOLOGY.web[0]
    password = (SECRETS / "cassandra_admin_password").read_text()
    program = f"ADMINISTRATOR = ('lab_admin', {password!r})\n"
    program += (FOLDER / "tests" / "nodes" / "data_facts.py").read_text()
    container = web.name("django", service.mode)
    shell = f"sudo docker exec -i {container} python manage.py shell --no-imports"
    return json.loads(ssh(service.django, shell, program))


def mysql(node, statement):
    """Rows of a statement, asked of one server as its own administrator."""
    command = "docker exec mysql mysql -uroot --batch --raw --skip-column-names --execute %s"
    return [line.split("\t") for line in host(node).check_output(command, statement).splitlines()]


@pytest.mark.parametrize("server", TOPOLOGY.settings.mysql)
def test_mysql_is_durable(server):
    names = ", ".join(f"'{name}'" for name in MYSQL_SETTINGS)
    rows = mysql(server, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")  # noqa: S608
    assert dict(rows) == MYSQL_SETTINGS


@pytest.mark.parametrize("server", TOPOLOGY.settings.mysql)
def test_each_mysql_server_sees_the_whole_group_with_one_primary(server):
    rows = mysql(
        server,
        "SELECT MEMBER_HOST, MEMBER_STATE, MEMBER_ROLE"
        " FROM performance_schema.replication_group_members",
    )
    assert sorted(row[0] for row in rows) == sorted(TOPOLOGY.addresses(TOPOLOGY.settings.mysql))
    assert {row[1] for row in rows} == {"ONLINE"}
    assert [row[2] for row in rows].count("PRIMARY") == 1


def test_mysql_is_the_version_that_the_readme_names(facts):
    assert facts["default"]["version"].startswith("9.7.")


def test_port_3306_leads_to_the_primary_and_3307_to_another_server(facts):
    default, read_only = facts["default"], facts["read_only"]
    assert (default["read_only"], read_only["read_only"]) == (False, True)
    assert default["host"] != read_only["host"]


def test_django_s_connections_to_mysql_are_encrypted(facts):
    assert facts["default"]["encrypted"]
    assert facts["read_only"]["encrypted"]


GRANTS = {
    "django": ["GRANT USAGE", "GRANT SELECT, INSERT, UPDATE, DELETE ON `djangodb`.*"],
    "django_migrate": ["GRANT USAGE", "GRANT ALL PRIVILEGES ON `djangodb`.*"],
    "django_test": ["GRANT USAGE", "GRANT ALL PRIVILEGES ON `test\\_djangodb`.*"],
}


@pytest.mark.parametrize(("account", "grants"), GRANTS.items())
def test_mysql_accounts_have_these_rights_and_no_others(account, grants):
    rows = mysql(TOPOLOGY.settings.mysql[0], f"SHOW GRANTS FOR '{account}'@'%'")
    found = [row[0] for row in rows]
    assert len(found) == len(grants)
    for grant, line in zip(grants, found, strict=True):
        assert line.startswith(grant)


def test_a_driver_given_two_cassandra_nodes_finds_all(facts):
    assert len(facts["cassandra"]["asked"]) == 2
    assert facts["cassandra"]["found"] == sorted(TOPOLOGY.addresses(TOPOLOGY.settings.cassandra))


def test_cassandra_is_the_version_that_the_readme_names(facts):
    assert [version.rsplit(".", 1)[0] for version in facts["cassandra"]["versions"]] == ["5.0"]


@pytest.mark.parametrize("keyspace", ["system_auth", "posts_db"])
def test_cassandra_keeps_everything_three_times(facts, keyspace):
    assert facts["cassandra"]["replication"][keyspace] == (
        "{'class': 'NetworkTopologyStrategy', 'dc1': '3'}"
    )


def test_cassandra_asks_the_third_replica_when_one_of_two_is_slow(facts):
    assert facts["cassandra"]["speculative_retry"] == {
        "posts_of_accounts": "200ms",
        "months_of_accounts": "200ms",
        "posts": "200ms",
        "months": "200ms",
        "owners": "200ms",
        "milestones": "200ms",
    }


def test_cassandra_s_default_superuser_is_gone(facts):
    assert facts["cassandra"]["default_superuser"] == "refused"


def test_django_s_cassandra_role_may_not_change_tables_or_roles(facts):
    assert facts["cassandra"]["refused"] == [
        "CREATE TABLE posts_db.forbidden (a int PRIMARY KEY)",
        "DROP TABLE posts_db.forbidden",
        "CREATE ROLE forbidden",
        "SELECT * FROM system_auth.roles",
    ]


def test_cassandra_acknowledges_only_what_is_on_its_disk(facts):
    nodes = TOPOLOGY.addresses(TOPOLOGY.settings.cassandra)
    assert facts["cassandra"]["commitlog_sync"] == dict.fromkeys(nodes, "batch")


@pytest.mark.parametrize("server", TOPOLOGY.settings.cassandra)
def test_cassandra_s_idle_workers_nap_for_as_long_as_a_millisecond(server):
    pid = host(server).check_output("docker inspect --format '{{.State.Pid}}' cassandra")
    assert host(server).file(f"/proc/{pid}/timerslack_ns").content_string == "1000000\n"
