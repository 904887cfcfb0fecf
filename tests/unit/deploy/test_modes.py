"""What a deployment does for a web service, by its mode: in how many steps it starts it, and
whether it copies static files to nginx."""

import pytest

from lab.context import Lab
from lab.deploy import services, static
from lab.release.images import IMAGES
from lab.release.releases import Release
from tests.unit.delivered import LAB
from tests.unit.plan.test_plans import SECRETS

RELEASE = Release(name="20261124-0815-abcdef", time="", tags=dict.fromkeys(IMAGES, "0123456789ab"))
TOGETHER = [("ubuntu2", {"django", "nginx", "allinone"})]
ONE_AFTER_THE_OTHER = [("ubuntu2", {"django"}), ("ubuntu2", {"nginx", "allinone"})]
# (mode, what is started on which node, step by step, whether static files are copied)
MODES = [
    ("default-bridge", ONE_AFTER_THE_OTHER, False),
    ("custom-bridge", TOGETHER, False),
    ("unix-socket", TOGETHER, False),
    ("all-in-one", TOGETHER, False),
    ("separate-hosts", [("ubuntu3", {"django"}), ("ubuntu4", {"nginx", "allinone"})], True),
]


def wired(mode):
    """The lab with a web service in that mode, and the service."""
    apart = mode == "separate-hosts"
    topology = LAB if apart else LAB.with_mode("ubuntu2", mode)
    lab = Lab(topology)
    lab.secrets = SECRETS
    lab.nodes = {name: name for name in topology.names}
    return lab, topology.web_services_of("ubuntu3" if apart else "ubuntu2")[0]


@pytest.mark.parametrize(("mode", "steps", "_"), MODES)
def test_nginx_waits_for_django_where_it_stands_apart_or_is_told_its_address(
    monkeypatch, mode, steps, _
):
    taken = []

    def settle(node, plan, programs, seconds):
        taken.append((node, set(programs)))
        return True

    monkeypatch.setattr(services, "settle", settle)
    lab, service = wired(mode)
    services.start_service(lab, RELEASE, service)
    assert taken == steps


@pytest.mark.parametrize(("mode", "_", "copied"), MODES)
def test_static_files_are_copied_where_nginx_has_a_folder_of_its_own(monkeypatch, mode, _, copied):
    carried = []
    monkeypatch.setattr(static, "lay", lambda *_: frozenset())
    monkeypatch.setattr(static, "carry", lambda lab, service, **how: carried.append((service, how)))
    lab, service = wired(mode)
    static.ahead(lab, RELEASE, service, ())
    assert carried == ([(service, {"prune": False})] if copied else [])


def test_what_is_gone_is_removed_from_each_nginx_that_has_copies(monkeypatch):
    carried = []
    monkeypatch.setattr(static, "carry", lambda lab, service, **how: carried.append((service, how)))
    static.prune(Lab(LAB), LAB.web)
    assert carried == [(LAB.web[2], {})]
