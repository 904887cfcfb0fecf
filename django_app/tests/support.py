"""A signed-in client, what the tests read out of pages, and how they take servers away."""

import html
import re
import uuid

from django.contrib.auth import get_user_model
from django.test import Client, TestCase

from posts import store
from posts.store import Account

PASSWORD = "correct horse battery"
# Nobody listens on port 1.
NO_CASSANDRA = {"CASSANDRA_NODES": ["127.0.0.1"], "CASSANDRA_PORT": 1}
NO_MYSQL = {"HOST": "127.0.0.1", "PORT": 1}


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name} in {page}"
    return html.unescape(found[1])


def texts(page: str) -> list[str]:
    """The posts of a page, as a reader sees them."""
    found = re.findall(r'<div class="text" dir="auto">(.*?)</div>', page, re.DOTALL)
    return [html.unescape(text) for text in found]


def listed_by_name(name: str) -> list[str]:
    """What an older release lists, newest first."""
    session = store.connected()
    found: list[str] = []
    for row in store.read(session, "select_months_by_name", name):
        query = "SELECT content FROM posts WHERE username = %s AND month = %s"
        found += [post.content for post in session.session.execute(query, (name, row.month))]
    return found


class SignedIn(TestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        # Names of their own: the posts in Cassandra outlive a test.
        self.username = f"ann-{uuid.uuid4().hex}"
        self.user = get_user_model().objects.create_user(self.username, password=PASSWORD)
        self.account = Account(self.user.pk, self.username)
        self.client.force_login(self.user)

    def other_client(self) -> Client:
        """Somebody else, signed in."""
        other = get_user_model().objects.create_user(f"bob-{uuid.uuid4().hex}")
        client = Client()
        client.force_login(other)
        return client

    def form(self) -> dict[str, str]:
        page = self.client.get("/posts/create").content.decode()
        return {"issued": field(page, "issued")}

    def listed(self) -> list[str]:
        return texts(self.client.get("/posts/").content.decode())
