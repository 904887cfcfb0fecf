"""One spelling of the host and the origin that a request names.

A proxy on the way may spell a host otherwise than the browser whose Origin it is compared with:
`$host:$server_port`, of many an nginx's configuration, names port 80, which no browser does.
"""

import re

from django.http import HttpRequest, HttpResponse

from project.middleware import GetResponse

OWN_PORTS = {"http": ":80", "https": ":443"}
LAST_DOT = re.compile(r"\.(?=(:[0-9]*)?$)")


def canonical(origin: str) -> str:
    """In lower case, with no dot at the name's end and no port that is the scheme's own."""
    origin = LAST_DOT.sub("", origin.lower())
    scheme, _, _ = origin.partition("://")
    return origin.removesuffix(OWN_PORTS.get(scheme, ""))


def canonical_origins(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        if host := request.META.get("HTTP_HOST"):
            request.META["HTTP_HOST"] = canonical(f"http://{host}").removeprefix("http://")
        if origin := request.META.get("HTTP_ORIGIN"):
            request.META["HTTP_ORIGIN"] = canonical(origin)
        return get_response(request)

    return middleware
