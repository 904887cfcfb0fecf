"""The wirings: one module each, one row each in this table.

A mode is a pure function of the site: the plan of one node that takes part in one web service.
"""

from collections.abc import Callable

from lab.containers import Plan
from lab.modes import custom_bridge, default_bridge, separate_hosts
from lab.site import Site
from lab.topology import WebService

Mode = Callable[[Site, WebService, str], Plan]

TABLE: dict[str, Mode] = {
    default_bridge.NAME: default_bridge.plan,
    custom_bridge.NAME: custom_bridge.plan,
    separate_hosts.NAME: separate_hosts.plan,
}
