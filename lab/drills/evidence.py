"""Looks for what a drill's users were promised: at the site, and on each MySQL server."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import partial

from lab.context import Lab
from lab.databases import mysql
from lab.drills.ledger import Found
from lab.drills.load import Load
from lab.engine.progress import together
from lab.errors import LabError
from lab.visitor.client import Client

SITE, LIST = "the site", "/posts/list"


def look(lab: Lab, load: Load) -> Found:
    """What is there of what the users wrote.

    Raises LabError if a place can't be looked at: nothing is known of it then.
    """
    accounts = partial(_accounts, lab, load, mysql.executed(lab))
    return {
        "post": {SITE: [key for page in _pages(load.client) for key in _posts(page, load.prefix)]},
        "account": together(
            {name: partial(accounts, name) for name in lab.topology.settings.mysql}
        ),
        "session": {SITE: [key for key, client in load.sessions.items() if _signed_in(client)]},
    }


def _pages(client: Client) -> Iterator[str]:
    path = LIST
    while path:
        status, page = _read(client, path)
        if status != 200:
            raise LabError(f"{client.base}{path}: {status}: the ledger was not compared")
        yield page
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(older[1]) if older else ""


def _posts(page: str, prefix: str) -> list[str]:
    return re.findall(rf"{re.escape(prefix)}(post \d+)\b", page)


def _signed_in(client: Client) -> bool:
    status, _ = _read(client, LIST)
    if status not in (200, 302):
        raise LabError(f"{client.base}{LIST}: {status}: the ledger was not compared")
    return status == 200


def _read(client: Client, path: str) -> tuple[int, str]:
    try:
        status, _, page = client.get(path)
    except OSError as error:
        raise LabError(f"{client.base}{path}: {error}: the ledger was not compared") from None
    return status, page


def _accounts(lab: Lab, load: Load, executed: str, server: str) -> list[str]:
    """Those that this server has once it has applied all; not the one that writes the posts."""
    mysql.wait_executed(lab, server, executed)
    named = f"username LIKE '{load.prefix}%' AND username <> '{load.writer}'"
    query = f"SELECT username FROM djangodb.auth_user WHERE {named}"  # noqa: S608
    return mysql.sql(lab.nodes[server], query)
