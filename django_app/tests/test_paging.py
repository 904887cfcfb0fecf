import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from django.core import signing
from django.test import SimpleTestCase

from posts.ids import LATEST, age
from posts.paging import BadCursor, Position, cursor, months_since, page, position, top


def post(number: int) -> uuid.UUID:
    return uuid.UUID(f"0000000{number}-0000-1000-8000-000000000000")


POSTS = {
    202611: [post(7), post(6), post(5)],
    202610: [],  # listed, but the post itself was never written
    202603: [post(4)],
    202512: [post(3), post(2), post(1)],
}
MONTHS = [202611, 202610, 202603, 202512]
MONTH_OF = {identity: month for month, posts in POSTS.items() for identity in posts}


def read(month: int, before: uuid.UUID, size: int) -> Sequence[uuid.UUID]:
    return [one for one in POSTS[month] if age(one) < age(before)][:size]


class Paging(SimpleTestCase):
    def test_pages_of_any_size_hold_every_post_once_newest_first(self) -> None:
        for size in (1, 2, 3, 4, 6, 7, 8):
            with self.subTest(size=size):
                found, start = [], None
                while rows := page(MONTHS, start, size, read):
                    self.assertTrue(len(rows) == size or rows[-1] == post(1))
                    found += rows
                    start = Position(MONTH_OF[rows[-1]], rows[-1])
                self.assertEqual(found, [post(n) for n in (7, 6, 5, 4, 3, 2, 1)])

    def test_a_user_without_posts_has_one_empty_page(self) -> None:
        self.assertEqual(page([], None, 20, read), [])

    def test_no_month_is_asked_once_the_page_is_full(self) -> None:
        asked = []

        def noted(month: int, before: uuid.UUID, size: int) -> Sequence[uuid.UUID]:
            asked.append((month, before, size))
            return read(month, before, size)

        page(MONTHS, Position(202611, post(6)), 2, noted)
        self.assertEqual(asked, [(202611, post(6), 2), (202610, LATEST, 1), (202603, LATEST, 1)])

    def test_a_month_that_began_since_does_not_shift_the_older_pages(self) -> None:
        self.assertEqual(
            page([202612, *MONTHS], Position(202603, post(4)), 20, read),
            [post(3), post(2), post(1)],
        )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Months(SimpleTestCase):
    def test_what_began_since_they_were_asked_for_is_among_them(self) -> None:
        rows = {
            "the same month": ("2026-11-10", "2026-11-20", [202611], [202611]),
            "none yet": ("2026-11-10", "2026-11-20", [], [202611]),
            "none this month": ("2026-11-10", "2026-11-20", [202603], [202611, 202603]),
            "a form opened before it was asked": (
                *("2026-12-01 11:00", "2026-12-01 12:00"),
                *([202610], [202612, 202611, 202610]),
            ),
            "a form opened long before": ("2026-12-01 13:00", "2026-12-01 14:00", [], [202612]),
            "a clock that is ahead": (
                *("2026-11-10", "2026-11-30 23:55", [202611], [202612, 202611]),
            ),
            "months later": (
                *("2026-10-15", "2027-03-01 00:00", [202609]),
                [202703, 202702, 202701, 202612, 202611, 202610, 202609],
            ),
        }
        for name, (asked, now, months, expected) in rows.items():
            with self.subTest(name):
                self.assertEqual(months_since(at(asked), months, at(now)), expected)

    def test_every_month_in_which_a_form_may_have_been_opened_is_among_them(self) -> None:
        for day in range(1, 32):
            asked = at(f"2026-01-{day:02}")
            found = months_since(asked, [], at("2027-02-10"))
            with self.subTest(day):
                self.assertEqual(found[:13], [202702, 202701, *range(202612, 202601, -1)])

    def test_a_page_begins_in_the_latest_month_that_anybody_may_write_in(self) -> None:
        rows = {
            "known": ([202610, 202603], "2026-11-20", 202610),
            "unknown": (None, "2026-11-20", 202611),
            "unknown, and a clock may be ahead": (None, "2026-11-30 23:55", 202612),
        }
        for name, (months, now, expected) in rows.items():
            with self.subTest(name):
                self.assertEqual(top(months, at(now)), Position(expected, LATEST))


class Cursors(SimpleTestCase):
    def test_a_cursor_comes_back_whole(self) -> None:
        for where in (Position(202611, post(3)), Position(202611, LATEST)):
            with self.subTest(where):
                self.assertEqual(position(cursor(where, 7), 7), where)

    def test_a_cursor_of_the_release_before_is_understood(self) -> None:
        offered = signing.dumps([202611, post(3).hex], salt="posts.page:7")
        self.assertEqual(position(offered, 7), Position(202611, post(3)))

    def test_a_cursor_is_refused_if_it_is_another_accounts_or_damaged(self) -> None:
        whole = cursor(Position(202611, post(1)), 7)
        rows = {
            "another account's": (whole, 8),
            "changed": (whole[:3] + "x" + whole[4:], 7),
            "cut": (whole[:-1], 7),
            "empty": ("", 7),
            "not base 64": ("%%%:1:1", 7),
        }
        for name, (offered, account) in rows.items():
            with self.subTest(name), self.assertRaises(BadCursor):
                position(offered, account)
