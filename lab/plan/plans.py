"""Everything that should run, node by node: the one place where all plans come together."""

from __future__ import annotations

from collections.abc import Mapping

from lab.plan import modes, programs, render
from lab.plan.modes import overlay, web
from lab.plan.records import File, Plan
from lab.plan.site import Site

REGISTRY = frozenset({"registry"})
MYSQL = frozenset({"mysql"})
DATA = MYSQL | {"cassandra"}
BALANCER = frozenset({"haproxy", "keepalived"})
WEB = web.SERVICES
ALL = REGISTRY | DATA | BALANCER | WEB

FIREWALL_FILE = "/etc/lab/firewall"
NAMES_FILE = "/etc/lab/hosts"
TRUST_MARK = "The lab has made this folder, and removes it.\n"


def plan(site: Site, node: str) -> Plan:
    """The whole plan of one node."""
    topology = site.topology
    settings = topology.settings
    whole = Plan(files=_files(site, node))
    if node == topology.builder and settings.registry is None:
        whole += programs.registry(site, node)
    if node in settings.mysql:
        whole += programs.mysql(site, node)
    if node in settings.cassandra:
        whole += programs.cassandra(site, node)
    if topology.overlay:
        whole += overlay.plan(site, node)
    for service in topology.web_services_of(node):
        whole += modes.plan(site, service, node)
    if node in settings.balancers:
        whole += programs.balancer(site, node)
    return whole


def _files(site: Site, node: str) -> tuple[File, ...]:
    return (
        File(FIREWALL_FILE, render.firewall(site.topology, node)),
        File(NAMES_FILE, render.names(site.topology)),
        *registry_trust(site.secrets, site.topology.registry),
    )


def registry_trust(secrets: Mapping[str, str], registry: str) -> tuple[File, ...]:
    """What makes the node's Docker trust the registry; Docker reads it at each pull.

    Marked, as a host of one's own may trust other registries (lab_node/observe.py, hosts/brought).
    """
    authority, folder = secrets["registry_ca.crt"], f"/etc/docker/certs.d/{registry}"
    if not authority:
        return ()
    return File(f"{folder}/ca.crt", authority), File(f"{folder}/lab", TRUST_MARK)
