"""What uWSGI calls: once for each new worker, then for each request."""

import logging
import os

from django.core.wsgi import get_wsgi_application

from posts import store

try:
    import uwsgi
except ModuleNotFoundError:  # Django's own development server
    uwsgi = None

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

# Its models are not there before.
from posts import removal  # noqa: E402

logger = logging.getLogger(__name__)


def connect() -> None:
    """Connecting takes seconds where processors are short, longer than a request waits for it. So
    a worker takes requests, a balancer's check among them, once that is over."""
    try:
        store.connected()
    except store.StoreUnavailable as error:
        # Pages without posts are served; each request for posts tries again.
        logger.warning("starting without Cassandra: %s", error)


def begin() -> None:
    connect()
    # Once per container is enough.
    if uwsgi.worker_id() == 1:
        removal.go_on_working_off()


if uwsgi:
    # Not before the fork: threads do not survive it, those of connections either.
    uwsgi.post_fork_hook = begin
