"""A page that could not be read because a database server has just died is read once more.

The server's connections end with it; on a new one the balancer has the next server answer. What
writes is not repeated here: whether it was done is unknown then, and the user is asked.
"""

import time

from django.db import connections
from django.http import HttpRequest, HttpResponse

from project import causal, errors
from project.middleware import GetResponse

# Seconds. What took longer was not a server that died, and twice that would be too long.
LONGEST = 5.0


def safe_requests_again(get_response: GetResponse) -> GetResponse:
    """Within causal_reads, which knows what a request did."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        response = get_response(request)
        reads = causal.current.get()
        lost = errors.lost_connection(response) and time.monotonic() - began < LONGEST
        if lost and reads.safe_method and not reads.wrote:
            # Also one whose server still answers: it may be about to shut down. The others stay.
            for connection in connections.all(initialized_only=True):
                if connection.errors_occurred:
                    connection.close()
            # Said by a server that is gone.
            reads.replica_suffices = None
            response = get_response(request)
        return response

    return middleware
