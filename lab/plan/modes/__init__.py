"""The wirings: one module each, one row each in this table.

A mode is a pure function of the site: the plan of one node that takes part in one web service.
"""

from collections.abc import Callable

from lab.config.topology import WebService
from lab.plan.modes import all_in_one, custom_bridge, default_bridge, separate_hosts, unix_socket
from lab.plan.records import Plan
from lab.plan.site import Site

Mode = Callable[[Site, WebService, str], Plan]

TABLE: dict[str, Mode] = {
    default_bridge.NAME: default_bridge.plan,
    custom_bridge.NAME: custom_bridge.plan,
    unix_socket.NAME: unix_socket.plan,
    all_in_one.NAME: all_in_one.plan,
    separate_hosts.NAME: separate_hosts.plan,
}
