"""custom-bridge: both on a user-defined bridge, whose DNS knows django by its name."""

from lab.config.ports import UWSGI_PORT
from lab.config.topology import WebService
from lab.plan.modes import web
from lab.plan.records import Plan
from lab.plan.site import Site

NETWORK = "webapp"


def plan(site: Site, service: WebService, node: str) -> Plan:
    django = web.django(site, service, network=NETWORK)
    nginx = web.nginx(site, service, f"{django.name}:{UWSGI_PORT}", network=NETWORK)
    return web.on_one_node(django, nginx, networks=(NETWORK,))
