"""separate-hosts: django on one node with its port published, nginx on another.

No volume reaches both, so the static files are rsynced to the nginx node (lab/tasks/static.py). The
firewall lets nobody but that node reach uWSGI's port, since whoever reaches it can run code there.
"""

from lab.containers import Mount, Plan, Publication
from lab.modes import web
from lab.site import Site
from lab.topology import UWSGI_PORT, WebService

NAME = "separate-hosts"
STATIC_FOLDER = "/home/dock/static_files"


def plan(site: Site, service: WebService, node: str) -> Plan:
    address = site.topology.address(service.django)
    if node == service.django:
        published = (Publication(address, UWSGI_PORT),)
        return web.together(web.django(site, service, publications=published))
    static = Mount(STATIC_FOLDER, "/shared/static_root")
    return Plan((web.nginx(site, service, f"{address}:{UWSGI_PORT}", static=static),))
