"""The production settings, with the two databases on one connection and a keyspace of our own."""

from project.settings import *  # noqa: F403
from project.settings import DATABASES, LOGGING

DATABASES["read_only"]["TEST"] = {"MIRROR": "default"}
TEST_RUNNER = "tests.runner.LabRunner"
# The tests log in often; what the passwords are hashed with is Django's business.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests look at what is logged with assertLogs.
LOGGING["handlers"]["console"] = {"class": "logging.NullHandler"}
