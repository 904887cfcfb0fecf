"""This application's settings, with those of the article that say how it connects to MySQL and
makes its pages (webapp_django/files_django/project/settings.py).
"""

from project.settings import *  # noqa: F403
from project.settings import DATABASES, TEMPLATES

DEBUG = True

for database in DATABASES.values():
    # Django's defaults, as the article names neither: connected anew for each request.
    database["CONN_MAX_AGE"] = 0
    database["CONN_HEALTH_CHECKS"] = False
    # Without time-outs. The lab's accounts let nobody in without TLS.
    database["OPTIONS"] = {"ssl_mode": "REQUIRED"}

for engine in TEMPLATES:
    # Django kept no template that it had read until 1.11, and with DEBUG until 4.1; now it does
    # unless the loaders are named.
    del engine["APP_DIRS"]
    engine["OPTIONS"]["loaders"] = [
        "django.template.loaders.filesystem.Loader",
        "django.template.loaders.app_directories.Loader",
    ]
    engine["OPTIONS"]["context_processors"].append("django.template.context_processors.debug")
