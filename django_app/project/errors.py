"""The pages for what goes wrong. None touches a database: that may be what is broken."""

import sys

from django.core.exceptions import DisallowedHost, DisallowedRedirect
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import render

from posts.store import StoreUnavailable

TEXTS = {
    400: ("That request can’t be read", "Something in it is damaged or was changed on its way."),
    403: ("Not allowed", "Your account may not open this page."),
    404: ("Nothing here", "There is no page at this address."),
    414: ("That address is too long", "No page has one of that length."),
    500: ("Something broke", "The error was noted. Please try again in a moment."),
    503: (
        "Back in a moment",
        "{} can’t be reached right now. Nothing of yours is lost: please try again shortly.",
    ),
}

# Of a host or an origin, which clients may make up: longer than any that is one.
SHOWN = 270
LIST_IT = (
    "If that is a way to it, whoever runs the lab adds {}, as the browser shows it, to origins in"
    " lab.yml, and runs fab deploy."
)

# MySQL 9.7's error numbers, and those of libmariadb (2000-2999), as the driver hands them on.
# The connection has ended, or does so with its server: on a new one the next server answers.
MYSQL_LOST = frozenset(
    {
        1053,  # the server shuts down
        *(1152, 1184, *range(1158, 1162)),  # the server could not read or write any more
        1317,  # the statement was killed, as all are when the server shuts down
        *(2006, 2013, 2055),  # libmariadb's own
        *(3032, 4312, 4313),  # the server went into offline mode
        3169,  # the session was killed
        4031,  # it was not used for wait_timeout
    }
)
# And whatever else means "not now".
MYSQL_UNAVAILABLE = MYSQL_LOST | {
    1021,  # the disk is full
    *(1037, 1041, 1135, 4081, 4082),  # no memory, or no thread
    *(1040, 1203),  # too many connections
    1043,  # the greeting failed
    *(1205, 1213),  # a lock was waited for too long, or in a circle
    *(1290, 1836, 1874),  # read-only: a primary that was just replaced
    *range(2000, 3000),  # no connection
    3024,  # the statement took longer than it may
    *(3100, 3101),  # the group refused the commit, or rolled it back
    *range(3781, 3784),  # a new primary is not ready
    *range(3796, 3800),  # the group can't give the consistency that was asked for
    4094,  # the primary's role is being handed over
}


def unavailable(error: BaseException | None) -> str | None:
    """The dependency whose absence the error tells of, as users may know it."""
    if isinstance(error, StoreUnavailable):
        return "The store of the posts"
    if (
        isinstance(error, OperationalError)
        and error.args[:1]
        and error.args[0] in MYSQL_UNAVAILABLE
    ):
        return "The database of the accounts"
    return None


def page(request: HttpRequest, status: int, subject: str = "") -> HttpResponse:
    title, text = TEXTS[status]
    context = {"title": title, "text": text.format(subject), "status": status}
    return render(request, "error.html", context, status=status)


def unavailable_page(request: HttpRequest, subject: str) -> HttpResponse:
    response = page(request, 503, subject)
    response["Retry-After"] = "5"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, DisallowedRedirect):
        # All of ours lead to this site, so it can only be too long.
        return page(request, 414)
    if isinstance(exception, DisallowedHost):
        return unknown_host(request)
    # A session that could not be saved is taken for one that ended meanwhile (SessionInterrupted),
    # whatever kept it from being saved.
    error: BaseException | None = exception
    while error is not None:
        if subject := unavailable(error):
            return unavailable_page(request, subject)
        error = error.__context__
    return page(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(request, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    origin = request.META.get("HTTP_ORIGIN", "")
    if reason == REASON_BAD_ORIGIN % origin:
        return unknown_origin(request, shortened(origin))
    title = "Please send that again"
    text = "The form was too old, or cookies are off. Go back, reload the page, and send it."
    return refusal(request, 403, title, text, reason)


def unknown_host(request: HttpRequest) -> HttpResponse:
    sent = request.META.get("HTTP_HOST", "")
    name, _ = split_domain_port(sent)
    host = shortened(sent)
    title = "Unknown host"
    if not sent:
        return refusal(request, 400, title, "The request names no host.", "no host is named")
    if not name:
        text = f"“{host}” is no host: names are made of letters, digits, dots and hyphens."
        return refusal(request, 400, title, text, f"{host} is no host")
    text = f"This lab is not known as {host}. {LIST_IT.format(f'http://{host} or https://{host}')}"
    return refusal(request, 400, title, text, f"host {host} is not among origins in lab.yml")


def unknown_origin(request: HttpRequest, origin: str) -> HttpResponse:
    title = "Unknown origin"
    if origin == "null":
        text = (
            "The browser does not say which page sent the form (Origin: null):"
            " a setting of its own, or something on the way, hides it."
        )
        return refusal(request, 403, title, text, "origin null")
    text = f"A page of {origin} sent the form, and this lab is not known as that."
    text = f"{text} {LIST_IT.format(origin)}"
    return refusal(request, 403, title, text, f"origin {origin} is not among origins in lab.yml")


def refusal(request: HttpRequest, status: int, title: str, text: str, reason: str) -> HttpResponse:
    """A page that says why; the request's line in the log gives the reason, too."""
    context = {"title": title, "text": text, "status": status}
    response = render(request, "error.html", context, status=status)
    response.refused_because = reason
    return response


def shortened(sent: str) -> str:
    return sent if len(sent) <= SHOWN else f"{sent[:SHOWN]}…"


def server_error(request: HttpRequest) -> HttpResponse:
    # Here rather than in a view or in process_exception: the session's save and the lazy
    # request.user may fail too.
    error = sys.exception()
    subject = unavailable(error)
    if subject is None:
        return page(request, 500)
    response = unavailable_page(request, subject)
    response.lost_connection = isinstance(error, OperationalError) and error.args[0] in MYSQL_LOST
    return response


def lost_connection(response: HttpResponse) -> bool:
    """Whether it tells of a connection to MySQL that ended while it was used."""
    return getattr(response, "lost_connection", False)
