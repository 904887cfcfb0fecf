"""`fab plan` beside what a deploy then does: it asks, and changes nothing."""

from lab.deploy import deploy, preview
from tests.unit.told import told


def planned(world):
    """What it says, a line each; nothing may have been changed for it."""
    found = preview.preview(world.lab, world.topology.web, whole=False)
    assert told(world.journal) == []
    return [f"{line.where}: {line.what}" for line in found]


def test_there_is_nothing_to_do_on_an_unchanged_lab(world):
    world.settle()
    assert planned(world) == []


EDITED = """\
lab: a new release takes the place of 20261124-0815-abcdef
lab: build, unless the builder has them, and push: webapp_django:2
lab: initialize the databases: no release like this one did so yet
ubuntu1: write /etc/lab/release/release
ubuntu1: pull webapp_django:2
ubuntu1: replace django-default-bridge-1: webapp_django:2 instead of webapp_django:1
ubuntu1: start nginx-default-bridge-1: django-default-bridge-1 is started before it, and may get \
another address
ubuntu2: write /etc/lab/release/release
ubuntu2: pull webapp_django:2
ubuntu2: replace django-custom-bridge-1: webapp_django:2 instead of webapp_django:1
ubuntu3: write /etc/lab/release/release
ubuntu3: pull webapp_django:2
ubuntu3: replace django-separate-hosts-1: webapp_django:2 instead of webapp_django:1
"""


def test_after_an_edit_of_a_view_and_once_that_is_deployed(world):
    world.settle()
    world.sources(webapp_django="2")
    assert planned(world) == EDITED.splitlines()
    deploy.deploy(world.lab, world.topology.web)
    world.journal.clear()
    assert planned(world) == []
