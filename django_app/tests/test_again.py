from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import TransactionTestCase, override_settings

from posts import store
from tests.support import NO_CASSANDRA, PASSWORD


def kill(alias: str) -> None:
    """As the server's death would end this connection: the next statement finds out."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (thread,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(f"KILL {thread}")
    other.close()


class SafeRequestsAgain(TransactionTestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        get_user_model().objects.create_user("ann", password=PASSWORD)
        self.client.login(username="ann", password=PASSWORD)
        self.client.raise_request_exception = False

    def test_a_page_is_read_again_on_a_new_connection(self) -> None:
        for alias in ("default", "read_only"):
            with self.subTest(alias):
                self.client.get("/posts/")
                kill(alias)
                with self.assertLogs("django.request", "ERROR"):
                    self.assertEqual(self.client.get("/posts/").status_code, 200)

    def test_what_writes_is_not_repeated(self) -> None:
        kill("default")
        response = self.client.post("/accounts/login/", {"username": "ann", "password": PASSWORD})
        self.assertEqual(response.status_code, 503)

    @override_settings(**NO_CASSANDRA)
    def test_what_stays_away_is_told_after_the_second_time(self) -> None:
        store.disconnect()
        response = self.client.get("/posts/")
        self.assertContains(response, "store of the posts", status_code=503)
