"""Looks for what a drill's users were promised: at the site, and on each MySQL server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from lab.client import Client
from lab.drills.ledger import Found
from lab.drills.load import Load
from lab.errors import LabError
from lab.progress import together
from lab.tasks.context import Lab

SITE = "the site"


def look(lab: Lab, load: Load) -> Found:
    """What is there of what the users wrote. Raises LabError if a page can't be read."""
    return {
        "post": {SITE: [key for page in _pages(load.client) for key in _posts(page, load.prefix)]},
        "account": together(
            {name: partial(_accounts, lab, name, load) for name in lab.topology.settings.mysql}
        ),
        "session": {SITE: [key for key, client in load.sessions.items() if _signed_in(client)]},
    }


def _pages(client: Client) -> Iterator[str]:
    path = "/posts/list"
    while path:
        status, _, page = client.get(path)
        if status != 200:
            raise LabError(f"{client.base}{path}: {status}: the ledger was not compared")
        yield page
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = older[1].replace("&amp;", "&") if older else ""


def _posts(page: str, prefix: str) -> list[str]:
    return re.findall(rf"{re.escape(prefix)}(post \d+)\b", page)


def _accounts(lab: Lab, server: str, load: Load) -> list[str]:
    """Those that this server has, whoever is the primary; not the one that writes the posts."""
    query = f"SELECT username FROM djangodb.auth_user WHERE username LIKE '{load.prefix}0%'"  # noqa: S608 - the prefix is the drill's own
    client = ("mysql", "-uroot", "--batch", "--skip-column-names", "--execute", query)
    return lab.nodes[server].run("docker", "exec", "mysql", *client).split()


def _signed_in(client: Client) -> bool:
    return client.get("/posts/list")[0] == 200
