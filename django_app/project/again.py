"""A page that could not be read because a database server has just died is read once more.

The server's connections end with it; on a new one the balancer has the next server answer. What
writes is not repeated here: whether it was done is unknown then, and the user is asked.
"""

from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse

from project import causal
from project.middleware import GetResponse


def safe_requests_again(get_response: GetResponse) -> GetResponse:
    """Within causal_reads, which knows what a request did."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code == 503 and causal.current.get().may_be_repeated:
            # Those that failed; the others stay.
            close_old_connections()
            response = get_response(request)
        return response

    return middleware
