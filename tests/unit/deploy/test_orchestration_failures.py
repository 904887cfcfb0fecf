"""A release that fails at the second node: what was changed is put back, and nothing more."""

import pytest

from lab.deploy import deploy
from lab.deploy.history import history
from lab.errors import LabError
from tests.unit.told import told

TRIED = """\
balancers: drain ubuntu2
balancers: answered ubuntu2
ubuntu2: write /etc/lab/release/release
ubuntu2: stop django-custom-bridge-1
ubuntu2: rm django-custom-bridge-1
ubuntu2: run django-custom-bridge-1 webapp_django:2
"""
# The one that failed comes first: the others serve. Nobody is put back where nothing was changed.
PUT_BACK = """\
balancers: answered ubuntu2
ubuntu2: write /etc/lab/release/release
ubuntu2: stop django-custom-bridge-1
ubuntu2: rm django-custom-bridge-1
ubuntu2: run django-custom-bridge-1 webapp_django:1
ubuntu2: healthy django-custom-bridge-1
balancers: seen well ubuntu2
balancers: ready ubuntu2
balancers: drain ubuntu1
balancers: answered ubuntu1
ubuntu1: write /etc/lab/release/release
ubuntu1: stop django-default-bridge-1
ubuntu1: rm django-default-bridge-1
ubuntu1: run django-default-bridge-1 webapp_django:1
ubuntu1: healthy django-default-bridge-1
ubuntu1: run nginx-default-bridge-1 by its script
ubuntu1: healthy nginx-default-bridge-1
balancers: seen well ubuntu1
balancers: ready ubuntu1
ubuntu1: write /var/lib/lab/releases/RELEASE.json
ubuntu1: append to /var/lib/lab/releases/journal
"""

SICK = """\
ubuntu2: healthy containers: not within 60 s; last seen: django-custom-bridge-1: running, \
starting; the end of its log (more: `fab -H ubuntu2 logs`):
the log of django-custom-bridge-1

the web is back at 20261124-0815-abcdef"""
BROKEN = """\
ubuntu2: started, but does not serve: http://192.168.56.12/accounts/login/: 500, no form there; \
the end of its log (more: `fab -H ubuntu2 logs`):
the log of django-custom-bridge-1

the web is back at 20261124-0815-abcdef"""


def deployed(world):
    """What a failing deploy of another Django said, and the lines from its second node on."""
    world.settle()
    world.sources(webapp_django="2")
    with pytest.raises(LabError) as failed:
        deploy.deploy(world.lab, world.topology.web)
    lines = told(world.journal)
    return str(failed.value), lines[lines.index("balancers: drain ubuntu2") :]


def test_what_never_gets_healthy_is_put_back(world):
    world.never_healthy.add(("ubuntu2", "webapp_django:2"))
    words, lines = deployed(world)
    assert lines == [*TRIED.splitlines(), "balancers: drain ubuntu2", *PUT_BACK.splitlines()]
    assert words == SICK


def test_what_is_healthy_but_serves_nobody_is_put_back(world):
    world.broken.add(("ubuntu2", "webapp_django:2"))
    words, lines = deployed(world)
    assert lines == [
        *TRIED.splitlines(),
        "ubuntu2: healthy django-custom-bridge-1",
        "balancers: drain ubuntu2",
        # By its health check alone, which asks for less than a user does.
        "balancers: seen well ubuntu2",
        *PUT_BACK.splitlines(),
    ]
    assert words == BROKEN


def test_what_answers_as_another_release_is_put_back(world):
    world.stale.add("ubuntu2")
    words, lines = deployed(world)
    answered = (
        "/posts/: answered by ubuntu2, custom-bridge, another, expected ubuntu2, custom-bridge"
    )
    assert words.startswith(f"ubuntu2: started, but does not serve: {answered}, 20")
    assert "ubuntu2: run django-custom-bridge-1 webapp_django:1" in lines


def test_a_page_whose_style_sheet_is_not_there_is_put_back(world):
    world.settle()
    world.sources(webapp_static="2", webapp_nginx="2")
    world.without_files.add("ubuntu2")
    with pytest.raises(LabError, match="^ubuntu2: started, .* serve: /static/2.css: answered 404;"):
        deploy.deploy(world.lab, world.topology.web)
    assert "ubuntu2: run nginx-custom-bridge-1 webapp_nginx:1" in told(world.journal)


def test_the_history_says_that_it_failed_and_the_release_before_stays_the_current_one(world):
    world.broken.add(("ubuntu2", "webapp_django:2"))
    deployed(world)
    table = history(world.lab).splitlines()
    assert table[1].endswith(
        " failed: ubuntu2: started, but does not serve: http://192.168.56.12"
        "/accounts/login/: 500, no form there; the end of its log (more:"
        " `fab -H ubuntu2 logs`):"
    )
    assert table[2].split() == ["20261124-0815-abcdef", "2026-11-24", "08:15:00", "-", "live"]


def test_where_the_release_before_does_not_serve_either_both_failures_are_told(world):
    world.never_healthy |= {("ubuntu2", "webapp_django:2"), ("ubuntu2", "webapp_django:1")}
    words, lines = deployed(world)
    told_first, _, told_second = words.partition("\nand the release before could not be put back: ")
    assert told_first.startswith("ubuntu2: healthy containers: not within 60 s")
    assert told_second.startswith("ubuntu2: healthy containers: not within 60 s")
    assert "balancers: ready ubuntu2" not in lines


def test_a_failed_service_gets_no_request_until_it_was_put_back(world):
    world.broken.add(("ubuntu2", "webapp_django:2"))
    _, lines = deployed(world)
    ready = lines.index("balancers: ready ubuntu2")
    assert lines.index("ubuntu2: run django-custom-bridge-1 webapp_django:1") < ready


def test_where_the_databases_can_t_follow_no_service_is_touched(world):
    world.settle()
    world.sources(webapp_django="2")
    del world.machine("ubuntu2").containers["mysql"]
    with pytest.raises(LabError, match="^initialize failed; its end:\nmysql does not answer$"):
        deploy.deploy(world.lab, world.topology.web)
    done = " ".join(told(world.journal))
    assert "drain" not in done
    assert "stop" not in done
