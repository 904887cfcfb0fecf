"""The wirings: one module each, and a row each in the table of lab/config/modes.py.

A wiring is a pure function of the site: the plan of one node that takes part in one web service.
"""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import cast

from lab.config.modes import MODES
from lab.config.topology import WebService
from lab.plan.records import Plan
from lab.plan.site import Site

MakePlan = Callable[[Site, WebService, str], Plan]


def plan(site: Site, service: WebService, node: str) -> Plan:
    wiring = cast(MakePlan, resolve_name(MODES[service.mode].plan))
    return wiring(site, service, node)
