"""default-bridge: both on Docker's default bridge, which knows no names: nginx is told django's IP.

Docker deals that address anew at every start, so it is resolved on the node (AddressOf).
"""

from lab.containers import AddressOf, Plan
from lab.modes import web
from lab.site import Site
from lab.topology import UWSGI_PORT, WebService

NAME = "default-bridge"


def plan(site: Site, service: WebService, node: str) -> Plan:
    django = web.django(site, service)
    return web.together(django, web.nginx(site, service, AddressOf(django.name, UWSGI_PORT)))
