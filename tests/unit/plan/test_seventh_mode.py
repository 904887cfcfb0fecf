"""A mode more is one function and one row: what goes by modes takes it from there.

Here: both containers in one network namespace, Django's, which nginx joins. Port 80 is published
on Django's container then, and nginx finds uWSGI at 127.0.0.1.
"""

from dataclasses import replace

import pytest
from fabric import Connection
from invoke.context import Context

from lab.cli import tasks
from lab.config import topology
from lab.config.modes import MODES, Mode
from lab.config.ports import UWSGI_PORT, WEB_PORT
from lab.config.topology import TopologyError
from lab.context import Lab
from lab.doctor.checks import checks
from lab.doctor.diagnosis import diagnose
from lab.doctor.status import as_found
from lab.engine import difference
from lab.engine.observation import Observation, Running
from lab.engine.steps import Replace, Start
from lab.errors import LabError
from lab.matrix import results, run
from lab.plan import plans
from lab.plan.modes import web
from lab.plan.records import Mount, Publication
from lab.plan.render import firewall
from lab.plan.site import Site
from tests.unit.delivered import LAB, TEXT
from tests.unit.doctor import test_diagnosis
from tests.unit.drawings.test_diagram import BRIDGE, drawn, texts
from tests.unit.matrix.test_results import Measurement, result
from tests.unit.plan import test_modes
from tests.unit.plan.test_plans import SECRETS, SITE

NAME = "shared-namespace"
DJANGO, NGINX = f"django-{NAME}-1", f"nginx-{NAME}-1"


def plan(site, service, node):
    published = (Publication(site.topology.address(node), WEB_PORT),)
    django = web.django(site, service, publications=published)
    nginx = web.nginx(site, service, f"127.0.0.1:{UWSGI_PORT}", network=f"container:{django.name}")
    # A namespace ends with its container: nginx is replaced whenever Django is.
    environment = (*nginx.environment, ("JOINED", django.digest))
    joined = replace(nginx, publications=(), environment=environment, reads=django.reads)
    return web.on_one_node(django, joined)


ROW = Mode(
    NAME,
    f"{__name__}:plan",
    way="one network namespace",
    files="volume",
    ports="node:80",
)


@pytest.fixture(autouse=True)
def seventh(monkeypatch):
    monkeypatch.setitem(MODES, NAME, ROW)


@pytest.fixture
def lab():
    return topology.load(TEXT.replace("mode: custom-bridge", f"mode: {NAME}"), {})


def planned(lab, secrets=SECRETS, images=SITE.images):
    return plans.plan(Site(lab, images, secrets, SITE.release), "ubuntu2")


def test_its_row_fits_its_plan():
    test_modes.test_what_a_row_says_its_plans_do(NAME)


def test_lab_yml_may_name_it_for_one_node_and_says_so_of_other_words(lab):
    assert [service.mode for service in lab.web] == ["default-bridge", NAME, "separate-hosts"]
    on_two = TEXT.replace("mode: separate-hosts", f"mode: {NAME}")
    unknown = TEXT.replace("mode: custom-bridge", "mode: bridge")
    for text, mistake in (
        (on_two, f"'ubuntu4' should be 'ubuntu3': in {NAME} both run on one node"),
        (unknown, f"'all-in-one', 'separate-hosts' or '{NAME}'"),
    ):
        with pytest.raises(TopologyError, match=mistake):
            topology.load(text, {})


def test_the_plan_has_both_and_difference_starts_django_first(lab):
    found = planned(lab)
    django, nginx = (c for c in found.containers if c.mode == NAME)
    assert (django.name, django.network) == (DJANGO, "bridge")
    assert django.publications == (Publication("192.168.56.12", 80),)
    assert (nginx.name, nginx.network, nginx.joined) == (NGINX, f"container:{DJANGO}", DJANGO)
    assert nginx.publications == ()
    assert dict(nginx.environment)["UWSGI_URI"] == "127.0.0.1:29000"
    assert Mount("webapp_static", "/shared") in nginx.mounts
    steps = difference.difference(found, Observation(), plans.WEB).steps
    assert [step.container.name for step in steps if isinstance(step, Start)] == [DJANGO, NGINX]
    assert f"container:{DJANGO}" in steps[-1].commands[0]
    assert "--publish" not in steps[-1].commands[0]


@pytest.mark.parametrize(
    "change",
    [
        {"secrets": SECRETS | {"django_secret_key": "another"}},
        {"images": SITE.images | {"webapp_django": "ubuntu1:5000/webapp_django:ba9876543210"}},
    ],
    ids=["secret", "image"],
)
def test_nginx_goes_with_the_django_whose_network_it_has(lab, change):
    before = planned(lab)
    files = {file.path: file.digest for file in (*before.all_files, *difference.notes(before))}
    running = {
        c.name: Running(c.name, c.service, c.mode, c.image, "running", "healthy", c.digest)
        for c in before.containers
    }
    found = Observation(running, files=files, disposable_volumes=frozenset({"webapp_static"}))
    found = replace(found, volumes=found.disposable_volumes | {"mysql_data", "cassandra_data"})
    assert difference.difference(before, found, plans.WEB).steps == ()
    steps = difference.difference(planned(lab, **change), found, plans.WEB).steps
    assert [(type(step), step.container.name) for step in steps] == [
        (Replace, DJANGO),
        (Replace, NGINX),
    ]


def test_the_firewall_leaves_uwsgi_s_port_to_its_own_node(lab):
    assert firewall(lab, "ubuntu2").splitlines()[-1] == "29000 192.168.56.12 tcp"


def test_it_is_drawn_as_planned():
    root = drawn(NAME)
    assert texts(root, "told mid") == ["127.0.0.1:29000", ":80"]
    assert "within one network namespace" in texts(root, "mid")
    assert texts(root).count(BRIDGE) == 1
    assert {"port 192.168.56.11:80", "volume webapp_static: static files"} < set(texts(root))
    assert {NGINX, DJANGO} < set(texts(root, "name mid"))


@pytest.fixture
def delivered(monkeypatch):
    """What tasks take for the lab."""
    monkeypatch.setattr(tasks, "Lab", lambda topology=LAB: Lab(topology))


@pytest.mark.usefixtures("delivered")
def test_fab_deploy_takes_it_for_a_node_that_has_room_for_it():
    lab, services = tasks._chosen(Connection("ubuntu2"), NAME)
    assert [(s.mode, s.django, s.nginx) for s in services] == [(NAME, "ubuntu2", "ubuntu2")]
    assert lab.topology.web[1] == services[0]
    with pytest.raises(LabError, match=f"no mode of one node; those are .*, all-in-one, {NAME}$"):
        tasks._chosen(Connection("ubuntu2"), "separate-hosts")


@pytest.mark.usefixtures("delivered")
def test_fab_matrix_can_be_asked_for_it_and_measures_it_on_a_node():
    with pytest.raises(LabError, match="--seconds: "):
        tasks.matrix(Context(), modes=f"{NAME},overlay", seconds="0")
    with pytest.raises(LabError, match=f"'x' is no mode; those are .*, {NAME}, overlay, article-"):
        tasks.matrix(Context(), modes=f"{NAME},x")
    lab, service = run._chosen(Lab(LAB), NAME)
    assert (service.mode, service.nginx, lab.topology.web[1]) == (NAME, "ubuntu2", service)
    (row,) = results.rows([result(NAME, Measurement(1.0, 1.0, 1.0, 0))])
    assert row[:4] == (NAME, "one network namespace", "volume", "node:80")


def test_fab_status_knows_a_node_in_it():
    assert as_found(LAB, "ubuntu2", [NAME], stack=False).web[1].mode == NAME


def test_the_doctor_s_checks_fit_together_when_nobody_answers(lab):
    facts = test_diagnosis.all_answered(lab, test_diagnosis.Answer(None), state="running")
    silent = replace(facts, nodes=test_diagnosis.facts({}).nodes)
    assert [one.check for one in diagnose(checks(silent))] == [f"{n}: SSH" for n in lab.names]


def test_the_doctor_asks_nginx_for_no_network_of_its_own(lab):
    facts = test_diagnosis.all_answered(lab, test_diagnosis.Answer(0), state="running")
    failing = {check.name: check.failure is not None for check in checks(facts)}
    assert failing[f"ubuntu2: network of {DJANGO}"]
    assert not failing[f"ubuntu2: network of {NGINX}"]
    assert "ubuntu2: name that nginx is told" in failing
