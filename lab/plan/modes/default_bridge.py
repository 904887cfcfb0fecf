"""default-bridge: both on Docker's default bridge, which knows no names: nginx is told django's IP.

Docker deals that address anew at every start, so it is resolved on the node (AddressOf).
"""

from lab.config.ports import UWSGI_PORT
from lab.config.topology import WebService
from lab.plan.modes import web
from lab.plan.records import AddressOf, Plan
from lab.plan.site import Site


def plan(site: Site, service: WebService, node: str) -> Plan:
    django = web.django(site, service)
    return web.on_one_node(django, web.nginx(site, service, AddressOf(django.name, UWSGI_PORT)))
