"""separate-hosts: django on one node with its port published, nginx on another.

No volume reaches both, so the static files are rsynced to the nginx node (lab/deploy/static.py).
The firewall lets nobody but that node reach uWSGI's port, since whoever reaches it can run code
there.
"""

from lab.config.ports import UWSGI_PORT
from lab.config.topology import WebService
from lab.plan.modes import web
from lab.plan.records import Plan, Publication
from lab.plan.site import Site


def plan(site: Site, service: WebService, node: str) -> Plan:
    address = site.topology.address(service.django)
    if node == service.django:
        published = (Publication(address, UWSGI_PORT),)
        return web.on_one_node(web.django(site, service, publications=published))
    return Plan((web.nginx(site, service, f"{address}:{UWSGI_PORT}"),))
