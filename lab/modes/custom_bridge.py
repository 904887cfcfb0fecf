"""custom-bridge: both on a user-defined bridge, whose DNS knows django by its name."""

from lab.containers import Plan
from lab.modes import web
from lab.site import Site
from lab.topology import UWSGI_PORT, WebService

NAME = "custom-bridge"
NETWORK = "webapp"


def plan(site: Site, service: WebService, node: str) -> Plan:
    django = web.django(site, service, network=NETWORK)
    nginx = web.nginx(site, service, f"{django.name}:{UWSGI_PORT}", network=NETWORK)
    return web.together(django, nginx, networks=(NETWORK,))
