"""all-in-one: one container in which supervisord runs both nginx and uWSGI.

The simplest to start, and the reason for the others: neither half can be replaced, limited or
moved without the other.
"""

from lab.containers import Plan
from lab.modes import web
from lab.site import Site
from lab.topology import WebService

NAME = "all-in-one"


def plan(site: Site, service: WebService, node: str) -> Plan:
    return web.together(web.all_in_one(site, service))
