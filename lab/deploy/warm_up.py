"""Tries a web service that was just started, as a user would, before any user comes to it.

It also does what is slow the first time: each uWSGI process connects to both databases.
"""

from __future__ import annotations

from functools import partial

from lab.config.modes import BACKS
from lab.config.topology import WebService
from lab.context import Lab
from lab.engine.apply import end_of_log
from lab.engine.progress import say, shown, together
from lab.errors import LabError
from lab.release.releases import Release
from lab.visitor.client import PROBE, Client, Response, wait_ready
from lab.visitor.journey import style_sheets

SIGNING_IN = f"signing in as {PROBE}"
READY_SECONDS = 20
ANSWER_SECONDS = 10
# Enough that each of uWSGI's four processes gets some: each answers one at a time.
AT_A_TIME, ROUNDS = 4, 2


def warm_up(lab: Lab, release: Release, service: WebService) -> None:
    """Returns once the service is ready and serves a signed-in user well.

    Raises LabError with what was asked, what was answered, and the end of Django's log.
    """
    address = lab.topology.address(service.nginx)
    client = Client(address)
    try:
        wait_ready(address, READY_SECONDS)
        page = _expect(SIGNING_IN, client.sign_in(PROBE, lab.secrets["django_probe_password"]))
        if "Your posts" not in page[2]:
            raise LabError(f"{SIGNING_IN}: no list of posts follows: `fab init` restores it")
        for path in style_sheets(page[2]):
            _expect(path, client.get(path, ANSWER_SECONDS))
        for _ in range(ROUNDS):
            asked = {
                str(i): partial(client.get, "/posts/", ANSWER_SECONDS) for i in range(AT_A_TIME)
            }
            for answer in together(asked).values():
                _expect("/posts/", answer)
                _expect_origin(answer, service, release)
        _expect("signing out", client.sign_out())
    except (LabError, OSError) as error:
        raise LabError(
            f"{service.nginx}: started, but does not serve: {error}; {_log(lab, service)}"
        ) from None
    say(service.nginx, "ready and warm")


def _expect(what: str, answer: Response) -> Response:
    if answer[0] != 200:
        raise LabError(f"{what}: answered {answer[0]}")
    return answer


def _expect_origin(answer: Response, service: WebService, release: Release) -> None:
    found = tuple(answer[1][f"X-Lab-{name}"] for name in ("Node", "Mode", "Release"))
    wanted = (service.django, service.mode, release.name)
    if found != wanted:
        raise LabError(f"/posts/: answered by {shown(found)}, expected {shown(wanted)}")


def _log(lab: Lab, service: WebService) -> str:
    node = lab.nodes[service.django]
    names = [c.name for c in node.observe().running if c.service in BACKS]
    return end_of_log(node, names[0]) if names else "no Django runs there"
