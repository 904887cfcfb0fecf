"""Sessions read from the replica or the primary, whichever has what the user has seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.contrib.sessions.backends import db
from django.db import OperationalError, connections
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from project import causal
from project.causal import Reads
from project.sessions import SessionStore
from tests.test_causal import SET_OF_NOBODY, wait_for_replica


@contextmanager
def reading(seen: str | None, *, safe_method: bool = True) -> Iterator[Reads]:
    reads = Reads(safe_method=safe_method, seen=seen)
    token = causal.current.set(reads)
    try:
        yield reads
    finally:
        causal.current.reset(token)


class Sessions(TransactionTestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        session = SessionStore()
        session["fruit"] = "pear"
        session.create()
        session.save()
        self.key = session.session_key
        self.seen = causal.executed_by_primary()
        wait_for_replica(self.seen)

    def statements(self, alias: str, seen: str | None, **kwargs: bool) -> list[str]:
        with (
            reading(seen, **kwargs),
            CaptureQueriesContext(connections[alias]) as captured,
        ):
            self.assertEqual(SessionStore(self.key)["fruit"], "pear")
        return [query["sql"] for query in captured.captured_queries]

    def test_a_replica_that_has_all_is_asked_for_the_session_in_the_same_breath(self) -> None:
        (sent,) = self.statements("read_only", self.seen)
        self.assertRegex(sent, r"^SELECT GTID_SUBSET\(.*\); SELECT session_data FROM ")
        self.assertEqual(self.statements("default", self.seen), [])

    def test_of_one_that_lags_no_session_is_taken(self) -> None:
        with reading(SET_OF_NOBODY) as reads:
            self.assertEqual(SessionStore(self.key)["fruit"], "pear")
            self.assertIs(reads.replica_suffices, False)
        (sent,) = self.statements("default", SET_OF_NOBODY)
        self.assertIn("FROM `django_session`", sent)

    def test_of_one_that_lags_not_even_a_session_that_is_gone(self) -> None:
        """Whoever signed out is signed out, though the replica still has the session."""
        with mock.patch.object(SessionStore, "_asked", lambda *_: (False, ("damaged",))):
            SessionStore(self.key).delete()
            with reading(self.seen):
                self.assertEqual(dict(SessionStore(self.key).items()), {})

    def test_one_that_fails_is_not_asked_again(self) -> None:
        away = mock.patch.object(SessionStore, "_asked", side_effect=OperationalError(2013))
        with reading(self.seen) as reads, away, self.assertLogs("project.causal", "WARNING"):
            self.assertEqual(SessionStore(self.key)["fruit"], "pear")
            self.assertIs(reads.replica_suffices, False)

    def test_what_may_write_reads_the_primary(self) -> None:
        self.assertEqual(self.statements("read_only", self.seen, safe_method=False), [])

    def test_a_session_that_is_over_or_unknown_is_empty(self) -> None:
        model = SessionStore.get_model_class()
        model.objects.filter(session_key=self.key).update(expire_date=timezone.now())
        wait_for_replica(causal.executed_by_primary())
        for key in (self.key, "unknown"):
            with self.subTest(key), reading(self.seen):
                session = SessionStore(key)
                self.assertEqual(dict(session.items()), {})
                self.assertIsNone(session.session_key)

    def test_each_release_reads_what_the_other_one_wrote(self) -> None:
        self.assertEqual(db.SessionStore(self.key)["fruit"], "pear")
        older = db.SessionStore()
        older["fruit"] = "plum"
        older.create()
        seen = causal.executed_by_primary()
        wait_for_replica(seen)
        with reading(seen):
            self.assertEqual(SessionStore(older.session_key)["fruit"], "plum")
