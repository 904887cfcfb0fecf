from collections.abc import Sequence

from django.test import SimpleTestCase

from posts.paging import BadCursor, Page, Position, cursor, page, position

POSTS = {
    202611: ["n7", "n6", "n5"],
    202610: [],  # listed, but the post itself was never written
    202603: ["n4"],
    202512: ["n3", "n2", "n1"],
}
MONTHS = [202611, 202610, 202603, 202512]


def read(where: Position, size: int) -> tuple[Sequence[str], bytes | None]:
    """Like Cassandra: a full page comes with a state, also when nothing follows."""
    start = int(where.state or b"0")
    rows = POSTS[where.month][start : start + size]
    return rows, str(start + size).encode() if len(rows) == size else None


class Paging(SimpleTestCase):
    def test_pages_of_any_size_hold_every_post_once_newest_first(self) -> None:
        for size in (1, 2, 3, 4, 6, 7, 8):
            with self.subTest(size=size):
                found, start = [], None
                while True:
                    one = page(MONTHS, start, size, read)
                    self.assertTrue(one.rows)
                    found += one.rows
                    if one.older is None:
                        break
                    self.assertEqual(len(one.rows), size)
                    start = one.older
                self.assertEqual(found, ["n7", "n6", "n5", "n4", "n3", "n2", "n1"])

    def test_a_user_without_posts_has_one_empty_page(self) -> None:
        self.assertEqual(page([], None, 20, read), Page((), None))

    def test_a_month_that_began_since_does_not_shift_the_older_pages(self) -> None:
        start = page(MONTHS, None, 4, read).older
        self.assertEqual(page([202612, *MONTHS], start, 20, read).rows, ("n3", "n2", "n1"))


class Cursors(SimpleTestCase):
    def test_a_cursor_comes_back_whole(self) -> None:
        for where in (Position(202611, b"\x00\xff"), Position(202611, None)):
            with self.subTest(where):
                self.assertEqual(position(cursor(where, "ann"), "ann"), where)

    def test_a_cursor_is_refused_if_it_is_another_users_or_damaged(self) -> None:
        whole = cursor(Position(202611, b"\x01"), "ann")
        rows = {
            "another user's": (whole, "bob"),
            "changed": (whole[:3] + "x" + whole[4:], "ann"),
            "cut": (whole[:-1], "ann"),
            "empty": ("", "ann"),
            "not base 64": ("%%%:1:1", "ann"),
        }
        for name, (offered, username) in rows.items():
            with self.subTest(name), self.assertRaises(BadCursor):
                position(offered, username)
