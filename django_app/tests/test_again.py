import time
from contextlib import suppress
from unittest import mock

import MySQLdb
from django.contrib.auth import get_user_model
from django.db import OperationalError, close_old_connections, connections
from django.db.backends.mysql.base import CursorWrapper
from django.test import TransactionTestCase

from posts import store
from project import causal
from project.sessions import SessionStore
from tests.support import PASSWORD
from tests.test_causal import wait_for_replica


def kill(alias: str) -> None:
    """As the server's death would end this connection: the next statement finds out."""
    with connections[alias].cursor() as cursor, suppress(OperationalError):
        cursor.execute("KILL CONNECTION_ID()")


class SafeRequestsAgain(TransactionTestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        get_user_model().objects.create_user("ann", password=PASSWORD)
        # By the page, which notes what the user has to see from then on.
        self.client.post("/accounts/login/", {"username": "ann", "password": PASSWORD})
        self.client.raise_request_exception = False

    def test_a_page_is_read_again_on_a_new_connection(self) -> None:
        # Whose writes are forgotten reads from the replica alone, once that has the session.
        del self.client.cookies[causal.COOKIE]
        deadline = time.monotonic() + 10
        while self.client.get("/posts/").status_code != 200:
            self.assertLess(time.monotonic(), deadline)
        kill("read_only")
        with self.assertLogs("django.request", "ERROR"):
            self.assertEqual(self.client.get("/posts/").status_code, 200)

    def test_a_connection_whose_server_ends_is_left_though_it_still_answers(self) -> None:
        del self.client.cookies[causal.COOKIE]
        used: list[object] = []
        real = CursorWrapper.execute

        def execute(cursor: CursorWrapper, query: str, args: object = None) -> object:
            used.append(cursor.cursor.connection)
            if len(used) == 1:
                raise MySQLdb.OperationalError(1053, "Server shutdown in progress")
            return real(cursor, query, args)

        with (
            mock.patch.object(CursorWrapper, "execute", execute),
            self.assertLogs("django.request", "ERROR"),
        ):
            self.client.get("/posts/")
        self.assertGreater(len(used), 1)
        self.assertIsNot(used[0], used[1])

    def test_what_writes_is_not_repeated(self) -> None:
        kill("default")
        form = {"username": "ann", "password": PASSWORD}
        response = self.client.post("/accounts/login/", form)
        close_old_connections()
        self.assertEqual(response.status_code, 503)

    def test_what_is_away_without_a_connection_lost_is_asked_once(self) -> None:
        store.disconnect()
        with mock.patch("posts.store.connect", side_effect=store.StoreUnavailable) as connect:
            response = self.client.get("/posts/")
        self.assertContains(response, "store of the posts", status_code=503)
        self.assertEqual(connect.call_count, 1)

    def test_a_replica_is_asked_anew_whether_it_has_what_the_user_wrote(self) -> None:
        """The one that answered first may be the one that died."""
        asked: list[str] = []

        real = SessionStore._asked

        def ask(session: SessionStore, seen: str) -> object:
            asked.append(seen)
            wait_for_replica(seen)
            answer = real(session, seen)
            if len(asked) == 1:
                # Before the user is read from it.
                kill("read_only")
            return answer

        with (
            mock.patch.object(SessionStore, "_asked", ask),
            self.assertLogs("django.request", "ERROR"),
        ):
            self.assertEqual(self.client.get("/posts/").status_code, 200)
        self.assertEqual(len(asked), 2)

    def test_a_replica_that_is_dead_when_it_is_asked_is_not_read_from(self) -> None:
        kill("read_only")
        with self.assertLogs("project.causal", "WARNING"):
            self.assertEqual(self.client.get("/posts/").status_code, 200)
