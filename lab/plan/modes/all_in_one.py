"""all-in-one: one container in which supervisord runs both nginx and uWSGI.

The simplest to start, and the reason for the others: neither half can be replaced, limited or
moved without the other.
"""

from lab.config.topology import WebService
from lab.plan.modes import web
from lab.plan.records import Plan
from lab.plan.site import Site


def plan(site: Site, service: WebService, node: str) -> Plan:
    return web.on_one_node(web.all_in_one(site, service))
