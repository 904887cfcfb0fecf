"""Is the process alive (/uwsgi_health), and can it serve users (/ready)?

Answered by a middleware, before Django looks at the Host: those who ask know an address only.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

import MySQLdb
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse

from posts import store
from project.middleware import GetResponse

logger = logging.getLogger(__name__)

TIMEOUT = 3.0  # seconds, for all checks together

Check = Callable[[], None]


def ask_mysql(alias: str, question: str, answer: object) -> None:
    """On a connection of its own: a kept one would not show that new ones fail."""
    limits = {"connect_timeout": 2, "read_timeout": 2, "write_timeout": 2}
    parameters = connections.create_connection(alias).get_connection_params() | limits
    connection = MySQLdb.connect(**parameters)
    try:
        cursor = connection.cursor()
        cursor.execute(question)
        found = cursor.fetchone()[0]
    finally:
        connection.close()
    if found != answer:
        raise RuntimeError(f"{question}: expected {answer}, found {found}")


def check_mysql_write() -> None:
    ask_mysql("default", "SELECT @@global.super_read_only", 0)


def check_mysql_read() -> None:
    ask_mysql("read_only", "SELECT 1", 1)


CHECKS: dict[str, Check] = {
    "mysql_write": check_mysql_write,
    "mysql_read": check_mysql_read,
    "cassandra": store.check,
}


def results(checks: Mapping[str, Check], timeout: float) -> dict[str, str]:
    """ "ok" or "down" for each check, all asked at the same time."""
    pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="ready")
    deadline = monotonic() + timeout
    futures = {name: pool.submit(check) for name, check in checks.items()}
    # A check that hangs ends by its own time-out; nobody waits for it.
    pool.shutdown(wait=False)
    return {name: result(name, future, deadline) for name, future in futures.items()}


def result(name: str, future: Future[None], deadline: float) -> str:
    try:
        future.result(timeout=max(0.0, deadline - monotonic()))
    except Exception as error:  # whatever it is, the dependency can't be used
        logger.warning("not ready: %s: %s: %s", name, type(error).__name__, error)
        return "down"
    return "ok"


def uwsgi_health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    found = results(CHECKS, TIMEOUT)
    all_ok = set(found.values()) == {"ok"}
    return JsonResponse({"ready": all_ok, "checks": found}, status=200 if all_ok else 503)


ENDPOINTS = {"/uwsgi_health": uwsgi_health, "/ready": ready}


def health_endpoints(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None:
            return get_response(request)
        response = endpoint(request)
        response["Cache-Control"] = "no-store"
        return response

    return middleware
