import time
from collections.abc import Callable
from unittest import mock

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, SimpleTestCase, TestCase, TransactionTestCase

from project import causal
from project.causal import Reads, database_for_read
from project.router import CausalRouter

SEEN = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:1-5"
SET_OF_NOBODY = "00000000-0000-0000-0000-000000000001:1-999"


class Decisions(SimpleTestCase):
    # (name, safe method, seen, wrote, in a transaction, the replica has it) -> database
    ROWS = [
        ("no cookie", True, None, False, False, None, "read_only"),
        ("seen, and the replica has it", True, SEEN, False, False, True, "read_only"),
        ("seen, and the replica lags", True, SEEN, False, False, False, "default"),
        ("the primary did not answer then", True, "primary", False, False, None, "default"),
        ("unsafe method", False, None, False, False, None, "default"),
        ("unsafe method, replica has it", False, SEEN, False, False, True, "default"),
        ("wrote before", True, None, True, False, None, "default"),
        ("wrote before, replica has it", True, SEEN, True, False, True, "default"),
        ("in a transaction", True, None, False, True, None, "default"),
        ("in a transaction, replica has it", True, SEEN, False, True, True, "default"),
    ]

    def test_where_a_request_reads(self) -> None:
        for name, safe, seen, wrote, in_transaction, has, expected in self.ROWS:
            with self.subTest(name):
                reads = Reads(safe_method=safe, seen=seen, wrote=wrote)
                found = database_for_read(
                    reads, in_transaction=in_transaction, replica_has=lambda _, has=has: has
                )
                self.assertEqual(found, expected)

    def test_outside_a_request_the_primary_is_read(self) -> None:
        found = database_for_read(None, in_transaction=False, replica_has=lambda _: True)
        self.assertEqual(found, "default")

    def test_the_replica_is_asked_once_per_request(self) -> None:
        for answer, expected in ((True, "read_only"), (False, "default")):
            with self.subTest(answer=answer):
                asked: list[str] = []
                reads = Reads(safe_method=True, seen=SEEN)

                def replica_has(seen: str, asked: list[str] = asked, answer: bool = answer) -> bool:
                    asked.append(seen)
                    return answer

                for _ in range(3):
                    found = database_for_read(reads, in_transaction=False, replica_has=replica_has)
                    self.assertEqual(found, expected)
                self.assertEqual(asked, [SEEN])

    def test_only_the_primary_is_migrated(self) -> None:
        for database, expected in (("default", True), ("read_only", False)):
            with self.subTest(database):
                self.assertIs(CausalRouter().allow_migrate(database, "auth"), expected)


def wait_for_replica(transactions: str) -> None:
    """The replica is a real one, and may lag."""
    deadline = time.monotonic() + 10
    while not causal.replica_has(transactions):
        assert time.monotonic() < deadline, f"10 s on, the replica lacks {transactions}"
        time.sleep(0.05)


class Servers(TestCase):
    databases = {"default", "read_only"}

    def test_a_replica_comes_to_have_what_the_primary_did_and_never_what_nobody_did(self) -> None:
        wait_for_replica(causal.executed_by_primary())
        self.assertFalse(causal.replica_has(SET_OF_NOBODY))

    def test_a_damaged_set_is_not_had(self) -> None:
        with self.assertLogs("project.causal", "WARNING"), transaction.atomic():
            self.assertFalse(causal.replica_has("damaged"))


def run(
    view: Callable[[HttpRequest], None], method: str = "GET", cookie: str | None = None
) -> HttpResponse:
    """A request through the middleware alone."""

    def get_response(request: HttpRequest) -> HttpResponse:
        view(request)
        return HttpResponse()

    request = RequestFactory().generic(method, "/")
    if cookie is not None:
        request.COOKIES["seen"] = cookie
    return causal.causal_reads(get_response)(request)


def read_from(found: list[str]) -> Callable[[HttpRequest], None]:
    return lambda _: found.append(get_user_model().objects.all().db)


class Requests(TransactionTestCase):
    databases = {"default", "read_only"}

    def write(self, request: HttpRequest) -> None:
        get_user_model().objects.create_user("writer")

    def subset(self, first: str, second: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT GTID_SUBSET(%s, %s)", [first, second])
            return cursor.fetchone() == (1,)

    def test_a_write_gives_a_cookie_that_covers_it(self) -> None:
        before = causal.executed_by_primary()
        seen = causal.signer.unsign(run(self.write).cookies["seen"].value)
        # Others may write meanwhile, so neither set is known exactly.
        self.assertTrue(self.subset(before, seen))
        self.assertFalse(self.subset(seen, before))
        self.assertTrue(self.subset(seen, causal.executed_by_primary()))

    def test_the_cookie_is_out_of_reach_of_scripts_and_lasts_as_long_as_a_session(self) -> None:
        cookie = run(self.write).cookies["seen"]
        self.assertTrue(cookie["httponly"])
        self.assertEqual((cookie["samesite"], cookie["max-age"]), ("Lax", 14 * 24 * 3600))

    def test_the_set_is_asked_for_after_the_session_was_saved(self) -> None:
        order = settings.MIDDLEWARE.index
        self.assertLess(
            order("project.causal.causal_reads"),
            order("django.contrib.sessions.middleware.SessionMiddleware"),
        )

    def test_a_read_gives_no_cookie(self) -> None:
        self.assertNotIn("seen", run(read_from([])).cookies)

    def test_the_request_after_a_write_reads_from_a_replica_that_has_it(self) -> None:
        found: list[str] = []
        cookie = run(self.write).cookies["seen"].value
        wait_for_replica(causal.signer.unsign(cookie))
        run(read_from(found), cookie=cookie)
        self.assertEqual(found, ["read_only"])

    def test_a_request_reads_from_the_primary_if_it_has_seen_more_than_the_replica(self) -> None:
        found: list[str] = []
        run(read_from(found), cookie=causal.signer.sign(SET_OF_NOBODY))
        self.assertEqual(found, ["default"])

    def test_a_tampered_cookie_reads_from_the_primary(self) -> None:
        found: list[str] = []
        run(read_from(found), cookie=SEEN + ":forged")
        self.assertEqual(found, ["default"])

    def test_after_its_write_a_request_reads_from_the_primary(self) -> None:
        found: list[str] = []

        def view(request: HttpRequest) -> None:
            read_from(found)(request)
            self.write(request)
            read_from(found)(request)

        run(view)
        self.assertEqual(found, ["read_only", "default"])

    def test_nothing_stays_pinned_on_the_thread(self) -> None:
        def fail(request: HttpRequest) -> None:
            self.write(request)
            raise RuntimeError

        with self.assertRaises(RuntimeError):
            run(fail)
        self.assertIsNone(causal.current.get())
        found: list[str] = []
        run(read_from(found))
        self.assertEqual(found, ["read_only"])

    def test_a_set_too_long_for_a_cookie_keeps_the_user_on_the_primary(self) -> None:
        with mock.patch.object(causal, "LONGEST_SET", 10):
            cookie = run(self.write).cookies["seen"]
        self.assertEqual(causal.signer.unsign(cookie.value), "primary")
