"""unix-socket: the two share a volume, and uWSGI's socket lies in it; no port lies between them.

uWSGI gives the socket to nginx's group (images/webapp_django/uwsgi.ini): nobody else may connect.
"""

from lab.config.topology import WebService
from lab.plan.modes import web
from lab.plan.records import Plan
from lab.plan.site import Site

SOCKET = f"{web.SHARED_STATIC.target}/uwsgi.sock"


def plan(site: Site, service: WebService, node: str) -> Plan:
    django = web.django(site, service, socket=SOCKET)
    return web.on_one_node(django, web.nginx(site, service, f"unix:{SOCKET}"))
