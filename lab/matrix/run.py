"""Runs every wiring one after another on the same nodes: boots, tests, measures, tears down."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial

from lab.balancers.balancers import balance, set_state
from lab.config.modes import BACKS, MODES, OVERLAY
from lab.config.paths import REPORTS
from lab.config.topology import WebService
from lab.context import Lab
from lab.databases.initialize import initialize, initialized
from lab.databases.owners import take_over
from lab.deploy import roll, services, static, swarm
from lab.deploy.history import record
from lab.deploy.publishing import prepare
from lab.engine.observation import Running
from lab.engine.progress import resume, say, together
from lab.errors import LabError
from lab.matrix import results, wrk
from lab.matrix.results import Measurement, Result
from lab.plan.plans import WEB
from lab.release.images import WEB_IMAGES
from lab.release.releases import Release
from lab.visitor.client import Client, status_of, wait_ready
from lab.visitor.journey import Journey, style_sheets
from lab.visitor.watching import all_the_while

RECORD = REPORTS / "matrix.json"
CONNECTIONS = 4


def every() -> tuple[str, ...]:
    """All that can be measured: the modes of lab.yml, and the whole lab's."""
    return (*MODES, OVERLAY)


def run(lab: Lab, modes: tuple[str, ...], seconds: int) -> list[Result]:
    """Every mode in turn; what an earlier run of the same release was cut off from goes on.

    seconds: how long each page is asked for. Ends with lab.yml's wiring, also when it fails.
    """
    release = prepare(lab, WEB_IMAGES)
    if not initialized(lab, release):
        initialize(lab, release, only_news=True)
    if swarm.active(lab):
        _back(lab, release)
    done = _recorded(release, seconds)
    try:
        for mode in modes:
            if mode in done:
                say("lab", f"{mode}: measured by the run that was cut off")
                continue
            done[mode] = _measured(lab, release, mode, seconds)
            _record(release, seconds, done)
    finally:
        _back(lab, release)
    measured = [done[mode] for mode in modes]
    (REPORTS / "matrix.md").write_text(results.table(measured))
    (REPORTS / "matrix.svg").write_text(results.picture(measured))
    RECORD.rename(RECORD.with_name("matrix-done.json"))
    return measured


def _recorded(release: Release, seconds: int) -> dict[str, Result]:
    try:
        record = json.loads(RECORD.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if (record["tags"], record["seconds"]) != (release.tags, seconds):
        return {}
    return {
        mode: Result(
            **recorded
            | {"load": {path: Measurement(**load) for path, load in recorded["load"].items()}}
        )
        for mode, recorded in record["results"].items()
    }


def _record(release: Release, seconds: int, done: dict[str, Result]) -> None:
    measured = {mode: asdict(result) for mode, result in done.items()}
    record = {"tags": release.tags, "seconds": seconds, "results": measured}
    fresh = RECORD.with_suffix(".new")
    fresh.write_text(json.dumps(record, indent=2))
    fresh.replace(RECORD)


def _measured(lab: Lab, release: Release, mode: str, seconds: int) -> Result:
    say("lab", f"{mode}: switching")
    with _switched(lab, release, mode) as (address, start, nodes):
        journey = Journey(lab.topology.virtual_address, mode, lab.secrets["django_probe_password"])
        steps = journey.run()
        say("lab", f"{mode}: {', '.join(steps)}: well")
        memory = sum(together({node: partial(_memory, lab, node) for node in nodes}).values())
        load = _loads(address, journey.client, seconds)
        gaps = _restart(lab, address, journey.client, nodes)
        say("lab", f"{mode}: measured")
        return Result(mode, steps, load, start, memory, *gaps)


@contextmanager
def _switched(
    lab: Lab, release: Release, mode: str
) -> Iterator[tuple[str, float, tuple[str, ...]]]:
    """The lab in a mode, all other web nodes drained: nginx's address, seconds to start, nodes."""
    if mode == OVERLAY:
        changed = Lab(lab.topology.with_overlay())
        began = time.monotonic()
        swarm.deploy(changed, release, lambda: balance(changed, release))
        address = lab.topology.address(changed.topology.nginx_nodes[0])
        wait_ready(address)
        wait_ready(lab.topology.virtual_address)
        yield address, time.monotonic() - began, lab.topology.names
        return
    changed, service = _chosen(lab, mode)
    others = [name for name in lab.topology.nginx_nodes if name != service.nginx]
    set_state(lab, (service.nginx,), "ready")
    set_state(lab, others, "drain")
    nodes = tuple(dict.fromkeys((service.django, service.nginx)))
    for node in nodes:
        services.clear(lab, release, node)
    began = time.monotonic()
    services.lay(changed, release, service, static.serving(lab))
    services.start_service(changed, release, service)
    address = lab.topology.address(service.nginx)
    wait_ready(address)
    start = time.monotonic() - began
    wait_ready(lab.topology.virtual_address)
    yield address, start, nodes


def _chosen(lab: Lab, mode: str) -> tuple[Lab, WebService]:
    """The lab with one service in the mode, and that service."""
    if MODES[mode].apart:
        for service in lab.topology.web:
            if service.mode == mode:
                return lab, service
        raise LabError(f"matrix: lab.yml has no web service in the mode {mode}")
    alone = [service for service in lab.topology.web if service.django == service.nginx]
    if not alone:
        raise LabError(f"matrix: {mode}: no node of lab.yml runs a web service alone")
    changed = Lab(lab.topology.with_mode(alone[-1].django, mode))
    return changed, changed.topology.alone(alone[-1].django)[0]


def _memory(lab: Lab, node: str) -> float:
    """MiB that the web containers of a node use, as `docker stats` tells."""
    containers = lab.nodes[node].observe().running
    names = [running.name for running in containers if running.service in WEB]
    if not names:
        return 0.0
    form = ("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}")
    return sum(_mebibytes(line) for line in lab.nodes[node].run(*form, *names).splitlines())


def _mebibytes(usage: str) -> float:
    text = usage.split("/", maxsplit=1)[0].strip()
    for unit, factor in (("GiB", 1024.0), ("MiB", 1.0), ("KiB", 1 / 1024)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return 0.0


def _loads(address: str, client: Client, seconds: int) -> dict[str, Measurement]:
    """Straight to nginx, so that the wirings differ and the balancer does not count."""
    _, _, page = client.get("/posts/")
    if "Your posts" not in page:
        raise LabError(f"matrix: {address}: the list is not that of a signed-in user")
    paths = {"static": style_sheets(page)[0], "health": "/uwsgi_health", "list": "/posts/"}
    return {
        name: wrk.measure(address, path, client, seconds, CONNECTIONS)
        for name, path in paths.items()
    }


def _restart(lab: Lab, address: str, client: Client, nodes: tuple[str, ...]) -> tuple[float, float]:
    """Seconds without a static file and without a page while one Django is restarted."""
    _, _, page = client.get("/posts/")
    static = style_sheets(page)[0]
    node, command = next(
        (node, _restarting(running))
        for node in nodes
        for running in lab.nodes[node].observe().running
        if running.service in BACKS
    )
    began = time.monotonic()
    with _asking(address, static) as static_seen, _asking(address, "/uwsgi_health") as page_seen:
        lab.nodes[node].run(*command)
        wait_ready(address)
    ended = time.monotonic()
    return _longest_gap(static_seen, began, ended), _longest_gap(page_seen, began, ended)


def _restarting(django: Running) -> tuple[str, ...]:
    """Swarm starts another task for one that ended, and then takes away what its restart needs."""
    return ("docker", "stop" if django.mode == OVERLAY else "restart", django.name)


def _asking(address: str, path: str) -> AbstractContextManager[list[tuple[float, int]]]:
    return all_the_while(partial(status_of, Client(address), path, 2))


def _longest_gap(seen: list[tuple[float, int]], began: float, ended: float) -> float:
    """Seconds without a success; what was out at the very end counts, too."""
    moments = [began, *(moment for moment, status in seen if status == 200), ended]
    return max(after - before for before, after in zip(moments, moments[1:], strict=False))


def _back(lab: Lab, release: Release) -> None:
    resume()
    say("lab", "back to lab.yml's wiring")
    roll.bring(lab, release, lab.topology.web)
    record(lab, release, "live")
    take_over(lab, release)
