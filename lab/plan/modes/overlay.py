"""overlay: the same two images as a Docker Swarm stack over all nodes of the lab.

Swarm decides where Django runs, moves its tasks off a lost node and rolls a new release out. nginx
finds them by the name tasks.NAME, whose addresses Swarm keeps; one nginx runs on each node whose
port 80 no balancer has.

Pure: the stack as a Compose file, and the swarm's members.
"""

from __future__ import annotations

import hashlib
from typing import Any

import yaml

from lab.config.modes import OVERLAY
from lab.config.ports import UWSGI_PORT, WEB_PORT
from lab.config.topology import Limit, Topology
from lab.plan.modes import web
from lab.plan.records import File, Plan
from lab.plan.site import USERS, Site

IMAGES = ("webapp_django", "webapp_nginx", "webapp_static")
STACK = "webapp"
STACK_FILE = f"/etc/lab/stack/{STACK}.yml"
RELEASE_FILE, STATIC_SET_FILE = "/etc/lab/stack/release", "/etc/lab/stack/static_set"
# Swarm's own networks; inside lab.config.topology.DOCKER_POOL, beside what daemon.json uses.
ADDRESS_POOL, POOL_MASK = "10.199.64.0/18", 24
REPLICAS = 3
# The label of the nodes on which nginx runs.
NGINX_LABEL = "lab.nginx"


# Run on a manager.
DEPLOY = ("docker", "stack", "deploy", "--prune", "--resolve-image=never")
OF_THE_FILE = ("--compose-file", STACK_FILE, STACK)
END = ("docker", "stack", "rm", STACK)
SWARM_PORT = 2377


def init(topology: Topology) -> tuple[str, ...]:
    """`docker swarm init`: makes the first manager a swarm of one node."""
    address = topology.address(managers(topology)[0])
    return (
        *("docker", "swarm", "init", "--advertise-addr", address),
        *("--listen-addr", f"{address}:{SWARM_PORT}"),
        *("--default-addr-pool", ADDRESS_POOL),
        *("--default-addr-pool-mask-length", str(POOL_MASK)),
    )


def managers(topology: Topology) -> tuple[str, ...]:
    """Three of them: the loss of one leaves a majority."""
    return topology.names[:3]


def plan(site: Site, node: str) -> Plan:
    """What a node has to have before Swarm gives it tasks; the containers are Swarm's own."""
    own = (
        File(STACK_FILE, compose_file(site)),
        File(RELEASE_FILE, site.release + "\n"),
        File(STATIC_SET_FILE, web.static_set(site) + "\n"),
    )
    files = own if node in managers(site.topology) else ()
    return Plan(volumes=(web.STATIC_VOLUME,), files=files, stack=True)


def secrets(site: Site) -> dict[str, str]:
    """Swarm's name of each of Django's secrets, which no value ever changes under."""
    return {
        name: f"{name}.{hashlib.sha256(site.secrets[name].encode()).hexdigest()[:12]}"
        for name in web.DJANGO_SECRETS
    }


def compose_file(site: Site) -> str:
    document = {
        "version": "3.9",
        "services": {"django": _django(site), "nginx": _nginx(site)},
        "networks": {"webapp": {"driver": "overlay"}},
        "configs": {
            "release": {"name": f"release.{site.release}", "file": RELEASE_FILE},
            "static_set": {"name": f"static_set.{web.static_set(site)}", "file": STATIC_SET_FILE},
        },
        "volumes": {web.STATIC_VOLUME.name: {"external": True}},
        "secrets": {
            name: {"external": True, "name": known_as} for name, known_as in secrets(site).items()
        },
    }
    return yaml.safe_dump(document, sort_keys=False)


def _django(site: Site) -> dict[str, Any]:
    topology = site.topology
    owner = str(USERS["django"])
    return {
        "image": site.images["webapp_django"],
        # Swarm fills in the name of the node on which the task runs.
        "environment": dict(web.django_environment(site, "{{.Node.Hostname}}", OVERLAY)),
        "volumes": [
            f"{web.STATIC_VOLUME.name}:/shared:ro",
            *_temporary(),
        ],
        "secrets": [
            {"source": name, "target": name, "uid": owner, "gid": owner, "mode": 0o400}
            for name in web.DJANGO_SECRETS
        ],
        # With the task that it belongs to, also when Swarm takes the release back.
        "configs": [
            {"source": name, "target": f"/run/lab/{name}", "mode": 0o444}
            for name in ("release", "static_set")
        ],
        **_confined("django", topology.limits.django),
        "deploy": {
            "mode": "replicated",
            "replicas": REPLICAS,
            # The kernel need not have IPVS, which virtual addresses take.
            "endpoint_mode": "dnsrr",
            "resources": _resources(topology.limits.django),
            # The next task answers its health check before the last one is told to stop.
            "update_config": _rolling("start-first"),
            "rollback_config": {"parallelism": 1, "order": "start-first"},
            "restart_policy": {"condition": "any", "delay": "1s"},
        },
    }


def _nginx(site: Site) -> dict[str, Any]:
    topology = site.topology
    proxies = [web.nginx_proxies(site)]
    return {
        "image": site.images["webapp_nginx"],
        "environment": {"UWSGI_URI": f"tasks.{STACK}_django:{UWSGI_PORT}", **dict(proxies)},
        "volumes": [f"{web.STATIC_VOLUME.name}:/shared:ro", *_temporary()],
        "ports": [{"target": WEB_PORT, "published": WEB_PORT, "mode": "host"}],
        **_confined("nginx", topology.limits.nginx),
        "deploy": {
            "mode": "global",
            "endpoint_mode": "dnsrr",
            "placement": {"constraints": [f"node.labels.{NGINX_LABEL} == yes"]},
            "resources": _resources(topology.limits.nginx),
            # The port is the node's: the next task can have it only once the last one is gone.
            "update_config": _rolling("stop-first"),
            "rollback_config": {"parallelism": 1, "order": "stop-first"},
            "restart_policy": {"condition": "any", "delay": "1s"},
        },
    }


def _confined(service: str, limit: Limit) -> dict[str, Any]:
    return {
        "networks": ["webapp"],
        "read_only": True,
        "cap_drop": ["ALL"],
        "stop_grace_period": f"{web.STOP_SECONDS}s",
        # Swarm ends a task that is not healthy: it is asked more often than the image says, and
        # not ended for one answer that is late.
        "healthcheck": {"interval": "10s", "retries": 3},
        "labels": {
            "lab.service": service,
            "lab.mode": OVERLAY,
            "lab.write": str(limit.write * 1024 * 1024),
        },
    }


def _temporary() -> list[dict[str, str]]:
    """In memory. Swarm ignores a Compose file's `tmpfs` without a word."""
    return [{"type": "tmpfs", "target": target} for target in ("/tmp", "/run")]  # noqa: S108


def _resources(limit: Limit) -> dict[str, Any]:
    return {"limits": {"cpus": f"{limit.cpus:g}", "memory": f"{limit.memory}M", "pids": limit.pids}}


def _rolling(order: str) -> dict[str, Any]:
    return {"parallelism": 1, "order": order, "failure_action": "rollback", "monitor": "5s"}
