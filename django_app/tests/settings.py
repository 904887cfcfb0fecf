"""The production settings, but for what tests need."""

from project.settings import *  # noqa: F403
from project.settings import DATABASES, LOGGING

# Not a database of its own: the replicas get the test database from the primary.
DATABASES["read_only"]["TEST"] = {"MIRROR": "default"}
TEST_RUNNER = "tests.runner.LabRunner"
# The tests log in often; what the passwords are hashed with is Django's business.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests look at what is logged with assertLogs.
LOGGING["handlers"]["console"] = {"class": "logging.NullHandler"}
# Static files have an image of their own; test_static_sets.py looks at how they are named.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
