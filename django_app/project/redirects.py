"""A redirect that no server would take back is answered at once with what it would lead to.

Signing in comes back to the page that was asked for, whose address is quoted meanwhile: that may
make it three times as long.
"""

from django.http import HttpRequest, HttpResponse

from project import errors
from project.middleware import GetResponse

# Bytes. nginx takes a line of 8 kB with a request's method, address and version.
LONGEST = 8000


def redirects_that_fit(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if len(response.headers.get("Location", "")) <= LONGEST:
            return response
        answer = errors.page(request, 414)
        # They tell of what was done, such as a write.
        answer.cookies = response.cookies
        return answer

    return middleware
