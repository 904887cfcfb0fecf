"""Measures the lab's own web beside the article's on the same node, in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from lab.config.modes import MODES
from lab.config.paths import REPORTS
from lab.config.topology import WebService
from lab.context import Lab
from lab.deploy import swarm
from lab.engine.apply import apply, settle
from lab.engine.difference import interrupts
from lab.engine.progress import resume, say
from lab.engine.ssh import Node, wait_until
from lab.errors import LabError
from lab.matrix import article, ratios, wrk
from lab.matrix.article import ROWS
from lab.matrix.ratios import OWN, Turn
from lab.matrix.results import Measurement
from lab.plan.plans import WEB
from lab.plan.records import Plan
from lab.visitor.client import PROBE, Client

CONNECTIONS = (4, 16)
TURNS = 10
# Both applications list posts there.
PATH = "/posts/list"
# A page of posts, and what each of them says.
PAGE, POST = 20, "a post of the comparison"
SHOWN_SECONDS = 20


def compare(lab: Lab, rows: tuple[str, ...], seconds: int, turns: int = TURNS) -> list[Turn]:
    """Each row beside the release that serves, as often as there are turns.

    seconds: how long each is asked for posts, in each turn. The rows are gone at its end, also
    when it fails. Raises LabError before anything is started if the web is not as lab.yml has it.
    """
    release = lab.require_release()
    service = _chosen(lab)
    own = lab.plan(release, service.nginx)
    _require_as_planned(lab, service, own)
    client = Client(lab.topology.address(service.nginx))
    month = _with_posts(lab, client)
    both = own + article.plan(lab.site(release), service, rows, month)
    host = lab.topology.address(service.nginx)
    addresses = {OWN: host} | {name: f"{host}:{ROWS[name].port}" for name in rows}
    with _beside(lab.nodes[service.nginx], own, both):
        for address in addresses.values():
            _wait_for_posts(address, client)
            _measured(address, client, seconds, max(CONNECTIONS))
        found = [_turn(addresses, client, seconds, number) for number in range(turns)]
    REPORTS.mkdir(parents=True, exist_ok=True)
    text = f"{ratios.table(found)}\n{article.settings_table()}"
    (REPORTS / "article.md").write_text(text)
    return found


def _chosen(lab: Lab) -> WebService:
    """The last web service whose two containers share a node, as those of the rows do."""
    if swarm.active(lab):
        raise LabError("matrix: the web is a stack now: run `fab deploy`, then this again")
    able = [s for s in lab.topology.web if s.django == s.nginx and MODES[s.mode].back == "django"]
    if not able:
        raise LabError("matrix: no node of lab.yml runs a Django and its nginx: see `web` there")
    return able[-1]


def _require_as_planned(lab: Lab, service: WebService, own: Plan) -> None:
    part = own.only(WEB)
    if interrupts(part, lab.nodes[service.nginx].observe(part), WEB):
        raise LabError(
            f"matrix: {service.nginx}: the web is not as lab.yml and the release say:"
            " run `fab deploy`, then this again"
        )


def _with_posts(lab: Lab, client: Client) -> int:
    """Signs in, writes what a page of posts lacks; the month of these posts, such as 202611."""
    try:
        client.sign_in(PROBE, lab.secrets["django_probe_password"])
        month = datetime.now(UTC)
        for number in range(PAGE - _posts_of(month, client.get(PATH)[2])):
            client.post("/posts/create", {"content": f"{POST}, {number + 1}"})
        there = _posts_of(month, client.get(PATH)[2])
    except OSError as error:
        raise LabError(f"matrix: {client.base}: {error}: `fab doctor`") from None
    if there != PAGE:
        raise LabError(
            f"matrix: {client.base}{PATH} shows {there} posts of {PAGE} to {PROBE}: `fab doctor`"
        )
    return month.year * 100 + month.month


def _posts_of(month: datetime, page: str) -> int:
    when = f'datetime="{month:%Y-%m}-'
    return sum(POST in part and when in part for part in page.split("<article"))


@contextmanager
def _beside(node: Node, own: Plan, both: Plan) -> Iterator[None]:
    """The containers of both plans on the node; those of its own alone afterwards."""
    try:
        settle(node, both, WEB)
        yield
    finally:
        resume()
        apply(node, own, WEB)


def _wait_for_posts(address: str, client: Client) -> None:
    """Returns once the same posts are listed there: a replica may not know the session yet."""
    there = Client(address)
    for cookie in client.cookies:
        there.cookies.set_cookie(cookie)

    def look() -> str:
        try:
            status, _, page = there.get(PATH)
        except OSError as error:
            return str(error)
        return f"{status}, {page.count(POST)} posts"

    wait_until(
        f"http://{address}{PATH} to show {PAGE} posts",
        look,
        lambda seen: seen == f"200, {PAGE} posts",
        seconds=SHOWN_SECONDS,
        advice=lambda _: "`fab logs --service=django`",
    )


def _turn(addresses: Mapping[str, str], client: Client, seconds: int, number: int) -> Turn:
    found = {
        (who, connections): _measured(address, client, seconds, connections)
        for connections in CONNECTIONS
        for who, address in addresses.items()
    }
    said = ", ".join(f"{who} {found[who, CONNECTIONS[0]].requests:.0f}" for who in addresses)
    say("lab", f"turn {number + 1}: requests/s at {CONNECTIONS[0]} connections: {said}")
    return found


def _measured(address: str, client: Client, seconds: int, connections: int) -> Measurement:
    found = wrk.measure(address, PATH, client, seconds, connections)
    if not found.requests:
        raise LabError(f"matrix: http://{address}{PATH}: no answer in {seconds} s: `fab doctor`")
    return found
