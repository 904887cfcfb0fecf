"""What every answer says about the lab: node, mode, release and the request's id."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from project import logs, statements

try:
    import uwsgi
except ModuleNotFoundError:  # a management command, or the tests
    uwsgi = None

GetResponse = Callable[[HttpRequest], HttpResponse]

access = logging.getLogger("access")

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
# Asked several times a second by each balancer: only a failure is news.
PROBED = ("/uwsgi_health", "/ready")
RELEASE = re.compile(r"[\x21-\x7e]{1,64}")


def request_id(offered: str | None) -> str:
    """The offered id if it can stand in a header and a log as it is, else a new one."""
    if offered and REQUEST_ID.fullmatch(offered):
        return offered
    return uuid.uuid4().hex


def release(path: Path) -> str:
    """The release's name. Read at each request: a deploy may rename a release that runs."""
    try:
        name = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "unreleased"
    return name if RELEASE.fullmatch(name) else "unreleased"


def lab_headers(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        request.lab_release = release(settings.LAB_RELEASE_FILE)
        identity = request_id(request.headers.get("X-Request-ID"))
        token = logs.request_id.set(identity)
        sent = None if request.path in PROBED else statements.Statements(started)
        recording = statements.current.set(sent)
        try:
            response = get_response(request)
            response["X-Lab-Node"] = settings.LAB_NODE
            response["X-Lab-Mode"] = settings.LAB_MODE
            response["X-Lab-Release"] = request.lab_release
            response["X-Request-ID"] = identity
            log_access(request, response, time.monotonic() - started, sent)
        finally:
            statements.current.reset(recording)
            logs.request_id.reset(token)
        return response

    return middleware


def log_access(
    request: HttpRequest,
    response: HttpResponse,
    seconds: float,
    sent: statements.Statements | None,
) -> None:
    if request.path in PROBED and response.status_code == 200:
        return
    fields = {
        "client": request.META.get("REMOTE_ADDR"),
        "method": request.method,
        "path": request.get_full_path(),
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "node": settings.LAB_NODE,
        "mode": settings.LAB_MODE,
        "worker": uwsgi.worker_id() if uwsgi else None,
        "reason": getattr(response, "refused_because", None),
    }
    if sent:
        fields |= sent.fields()
    access.info("request", extra={"fields": fields})


def served_by(request: HttpRequest) -> dict[str, str]:
    """For the foot of the pages."""
    return {
        "lab_node": settings.LAB_NODE,
        "lab_mode": settings.LAB_MODE,
        "lab_release": request.lab_release,
    }
