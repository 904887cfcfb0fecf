"""The article's settings (webapp_django/files_django/project/settings.py), in Django 6.1's words.

The lab's are addresses and accounts; the secret key, so that who is signed in there is signed in
here, too; TLS, without which MySQL lets nobody in; and where the errors go that the article writes
to /var/log/django.log.
"""

import os
from pathlib import Path

SECRET_KEY = Path(os.environ["APP_SECRET_KEY_FILE"]).read_text().strip()
DEBUG = True
# Django took any while DEBUG is on until 1.9.11.
ALLOWED_HOSTS = ["*"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "verbose": {
            "format": "%(levelname)s %(asctime)s %(name)s %(process)d %(thread)d %(message)s"
        },
    },
    "handlers": {
        "file": {
            "level": "INFO",
            "class": "logging.FileHandler",
            "formatter": "verbose",
            "filename": "/tmp/django.log",
        },
    },
    "loggers": {
        "posts": {"handlers": ["file"], "level": "INFO", "propagate": False},
        "": {"handlers": ["file"], "level": "ERROR"},
    },
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "posts",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "OPTIONS": {
            # APP_DIRS of Django 1.9, which keeps no template that it has read.
            "loaders": [
                "django.template.loaders.filesystem.Loader",
                "django.template.loaders.app_directories.Loader",
            ],
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

WSGI_APPLICATION = "project.wsgi.application"


def mysql(port):
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "djangodb",
        "USER": "django",
        "PASSWORD": Path("/run/secrets/mysql_django_password").read_text().strip(),
        "HOST": os.environ["APP_MYSQL_HOST"],
        "PORT": port,
        "OPTIONS": {"ssl_mode": "REQUIRED"},
    }


DATABASES = {
    "default": mysql(os.environ["APP_MYSQL_WRITE_PORT"]),
    "read_only": mysql(os.environ["APP_MYSQL_READ_PORT"]),
}

DATABASE_ROUTERS = ["project.routers.HAProxyRouter"]

CASSANDRA_NODES = os.environ["APP_CASSANDRA_NODES"].split(",")
CASSANDRA_PASSWORD = Path("/run/secrets/cassandra_django_password").read_text().strip()
# The lab's table keeps an account's posts by months: which one is listed, such as 202611.
MONTH = int(os.environ["ARTICLE_MONTH"])

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
