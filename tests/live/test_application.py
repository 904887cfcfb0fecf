"""The application's own tests, in the test stage of its image, against the real databases."""

import re

import pytest

from lab.databases.once import run_django
from lab.deploy.building import build, missing, push, send_sources
from lab.release import images
from lab.release.images import TEST_IMAGE

pytestmark = pytest.mark.beside

SECRETS = ("django_secret_key", "mysql_test_password", "cassandra_test_password")
ENVIRONMENT = (
    ("APP_MYSQL_USER", "django_test"),
    ("APP_MYSQL_PASSWORD_FILE", "/run/secrets/mysql_test_password"),
    ("APP_CASSANDRA_USER", "django_test"),
    ("APP_CASSANDRA_PASSWORD_FILE", "/run/secrets/cassandra_test_password"),
    ("APP_CASSANDRA_KEYSPACE", "test_posts_db"),
)


def test_the_application_s_own_tests_pass(running, release, capsys):
    tag = images.tag(TEST_IMAGE)
    if missing(running, {TEST_IMAGE.name: tag}):
        send_sources(running, {})
        build(running, TEST_IMAGE, tag)
        push(running, TEST_IMAGE, tag)
    status, output = run_django(
        running,
        release,
        *("test", "--no-input"),
        secrets=SECRETS,
        environment=ENVIRONMENT,
        image=images.reference(running.topology.registry, TEST_IMAGE.name, tag),
    )
    ran = re.search(r"^Ran (\d+) tests in .*$", output, re.MULTILINE)
    with capsys.disabled():
        print(f"\nthe application's own: {ran[0] if ran else 'no result'}")
    assert status == 0, output
    assert ran, output
    assert int(ran[1]) > 0
