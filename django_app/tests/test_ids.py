import uuid
from datetime import UTC, datetime

from django.test import SimpleTestCase

from posts import ids

# 2026-11-24 10:20:30.5 UTC
ISSUED = uuid.UUID("4b0c6400-c795-11f1-8123-01a2b3c4d5e6")


class Ids(SimpleTestCase):
    def test_a_time_uuid_tells_its_time(self) -> None:
        self.assertEqual(
            ids.time_of(uuid.UUID("13814000-1dd2-11b2-8000-000000000000")),
            datetime(1970, 1, 1, tzinfo=UTC),
        )

    def test_the_month_of_a_moment(self) -> None:
        rows = [
            (datetime(2026, 11, 24, tzinfo=UTC), 202611),
            (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), 202612),
            (datetime(2027, 1, 1, tzinfo=UTC), 202701),
        ]
        for moment, month in rows:
            with self.subTest(moment):
                self.assertEqual(ids.month_of(moment), month)

    def test_new_ids_are_of_now_and_differ_and_hide_the_machine(self) -> None:
        before = datetime.now(UTC)
        first, second = ids.new_id(), ids.new_id()
        self.assertNotEqual(first, second)
        self.assertEqual((first.version, first.variant), (1, uuid.RFC_4122))
        self.assertLess(abs(ids.time_of(first) - before).total_seconds(), 1)
        self.assertTrue(first.node >> 40 & 1)

    def test_an_issued_id_is_accepted_from_its_user_for_twelve_hours(self) -> None:
        token = ids.issued(ISSUED, "ann")
        time = ids.time_of(ISSUED)
        self.assertEqual(ids.accepted(token, "ann", time + ids.LONGEST_OPEN), ISSUED)
        with self.assertRaisesMessage(ids.Refused, "open for very long"):
            ids.accepted(token, "ann", time + ids.LONGEST_OPEN * 1.001)

    def test_an_issued_id_is_refused_if_it_is_another_users_or_changed(self) -> None:
        token = ids.issued(ISSUED, "ann")
        rows = {
            "another user's": (token, "bob"),
            "unsigned": (ISSUED.hex, "ann"),
            "changed": ("5" + token[1:], "ann"),
            "empty": ("", "ann"),
        }
        for name, (offered, username) in rows.items():
            with self.subTest(name), self.assertRaisesMessage(ids.Refused, "not made for you"):
                ids.accepted(offered, username, ids.time_of(ISSUED))

    def test_an_id_is_bound_to_its_content_and_keeps_its_time(self) -> None:
        once = ids.with_content(ISSUED, "text")
        self.assertEqual(once, ids.with_content(ISSUED, "text"))
        self.assertNotEqual(once, ids.with_content(ISSUED, "text, changed"))
        self.assertNotEqual(once, ids.with_content(ids.new_id(), "text"))
        self.assertEqual((once.version, once.variant), (1, uuid.RFC_4122))
        self.assertEqual(once.time, ISSUED.time)
