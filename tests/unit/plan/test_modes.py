"""The table of modes: what a row says of a mode is what the mode's plans do."""

import pytest

from lab.config.modes import MODES
from lab.config.paths import FOLDER
from lab.plan import plans
from lab.plan.site import Site
from tests.unit.delivered import LAB
from tests.unit.plan.test_plans import SECRETS, SITE

PORTS = {"node:80": [{80}], "a:29000, b:80": [{29000}, {80}]}


def planned(row):
    """The containers of one web service in that mode, by the node of Django, then of nginx."""
    lab = LAB if row.apart else LAB.with_mode("ubuntu2", row.name)
    service = next(service for service in lab.web if service.mode == row.name)
    site = Site(lab, SITE.images, SECRETS, SITE.release)
    nodes = dict.fromkeys((service.django, service.nginx))
    return [[c for c in plans.plan(site, node).containers if c.mode == row.name] for node in nodes]


@pytest.mark.parametrize("name", MODES)
def test_what_a_row_says_its_plans_do(name):
    row = MODES[name]
    nodes = planned(row)
    assert row.name == name
    assert len(nodes) == (2 if row.apart else 1)
    together = [container for containers in nodes for container in containers]
    assert [c.service for c in together] == list(dict.fromkeys((row.back, row.front)))
    assert [bool(c.addressed) for c in together if c.service == row.front] == [row.told_address]
    sources = {mount.source for mount in together[-1].mounts}
    assert (row.static_folder or "webapp_static") in sources
    assert PORTS[row.ports] == [
        {p.port for container in containers for p in container.publications} for containers in nodes
    ]


def test_every_module_of_a_mode_has_its_row():
    modules = {path.stem for path in (FOLDER / "lab/plan/modes").glob("*.py")}
    rows = {row.plan for row in MODES.values()}
    # What all share, and the stack, which is the whole lab's.
    wirings = modules - {"__init__", "web", "overlay"}
    assert rows == {f"lab.plan.modes.{name}:plan" for name in wirings}
