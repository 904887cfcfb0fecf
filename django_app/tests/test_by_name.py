"""Posts that an older release wrote, which knows accounts by their names."""

import html
import uuid
from datetime import UTC, datetime, timedelta
from unittest import mock

from cassandra.util import uuid_from_time
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.management import call_command
from django.test import SimpleTestCase

from posts import by_account, by_name, ids, store
from posts.paging import BadCursor, Position
from posts.store import Account
from posts.taking_over import ids_by_name
from tests.support import SignedIn, listed_by_name, texts

# Of Cassandra 5.0.9, behind a row with the id below.
STATE = "001200101b95d233eca711f19347a76fe13f04faf07ffffffdf07ffffffd"
LAST = uuid.UUID("1b95d233-eca7-11f1-9347-a76fe13f04fa")


class PagingStates(SimpleTestCase):
    def test_a_cursor_of_an_older_release_says_where_its_page_ended(self) -> None:
        rows = {
            "in a month": ([202611, STATE], Position(202611, LAST)),
            "at a month's end": ([202610, None], Position(202610, ids.LATEST)),
        }
        for name, (content, where) in rows.items():
            with self.subTest(name):
                cursor = signing.dumps(content, salt="posts.cursor:ann")
                self.assertEqual(by_name.position(cursor, "ann"), where)
                with self.assertRaises(BadCursor):
                    by_name.position(cursor, "bob")

    def test_another_state_than_cassandra_makes_is_refused_without_asking_it(self) -> None:
        for state in ("", "00", "00garbage", STATE[:38], "0112" + STATE[4:], "0010" + STATE[4:]):
            content = [202611, state.encode().hex() if "g" in state else state]
            cursor = signing.dumps(content, salt="posts.cursor:ann")
            with self.subTest(state), self.assertRaises(BadCursor):
                by_name.position(cursor, "ann")


class BesideAnOlderRelease(SignedIn):
    """Nothing says that all posts have an owner."""

    def setUp(self) -> None:
        super().setUp()
        self.session = store.connected()
        # Before all that is written for it here.
        self.user.date_joined -= timedelta(days=1000)
        self.user.save()
        self.owned(False)
        self.addCleanup(self.owned, True)
        # Nor does it know of them.
        session = self.client.session
        del session["months"]
        session.save()

    def owned(self, all_of_them: bool) -> None:
        if all_of_them:
            by_name.finish(self.session)
        else:
            store.write(self.session, ("delete_milestone", ("every post has its owner",)))
        by_name._told = (float("-inf"), False)

    def written_by_name(self, content: str, moment: datetime, name: str = "") -> uuid.UUID:
        """As an older release does."""
        identity, name = uuid_from_time(moment), name or self.username
        month = ids.month_of(moment)
        store.write(self.session, ("insert_month_by_name", (name, month)))
        store.write(self.session, ("insert_post_by_name", (name, month, identity, content)))
        return identity

    def fill(self, count: int) -> list[str]:
        """Every third one by an older release, over several months, newest first."""
        now = datetime.now(UTC)
        for number in range(count):
            moment, content = now - timedelta(days=3 * number, seconds=5), f"post {number}"
            if number % 3:
                by_account.add(self.account, uuid_from_time(moment), content)
            else:
                self.written_by_name(content, moment)
        return [f"post {number}" for number in range(count)]

    def links(self) -> list[tuple[list[str], str]]:
        address, found = "/posts/", []
        while address:
            page = self.client.get(address).content.decode()
            _, link, rest = page.partition('rel="next" href="')
            address = html.unescape(rest.partition('"')[0]) if link else ""
            found.append((texts(page), address))
        return found

    def test_posts_of_both_are_listed_by_both(self) -> None:
        expected = self.fill(45)
        pages = [posts for posts, _ in self.links()]
        self.assertEqual([len(page) for page in pages], [20, 20, 5])
        self.assertEqual([post for page in pages for post in page], expected)
        self.assertEqual(listed_by_name(self.username), expected)

    def test_cursors_are_those_of_the_older_release_and_go_on_where_they_should(self) -> None:
        expected = self.fill(45)
        (_, first), (second, _), *_ = self.links()
        cursor = html.unescape(first.partition("from=")[2]).replace("%3A", ":")
        month, state = signing.loads(cursor, salt=f"posts.cursor:{self.username}")
        statement = self.session.session.prepare(
            "SELECT id, content FROM posts WHERE username = ? AND month = ?"
        ).bind((self.username, month))
        statement.fetch_size = 3
        found = self.session.session.execute(statement, paging_state=bytes.fromhex(state))
        rows = [row.content for row in found.current_rows]
        self.assertEqual(rows, expected[20 : 20 + len(rows)])
        self.owned(True)
        by_name.take_over(self.session, ids_by_name)
        self.assertEqual(texts(self.client.get(first).content.decode()), second)

    def test_each_goes_to_the_account_of_its_name_and_the_others_to_nobody(self) -> None:
        expected = self.fill(45)
        ghost = f"ghost-{uuid.uuid4().hex}"
        # MySQL compares names without regard to case.
        shouted = self.username.upper()
        moment = datetime.now(UTC)
        for name in (ghost, ghost, shouted):
            self.written_by_name("whose?", moment, name)
        taken = by_name.take_over(self.session, ids_by_name)
        self.assertEqual((taken[self.user.pk], taken[0]), (15, 3))
        self.assertEqual(by_name.take_over(self.session, ids_by_name).total(), 0)
        self.owned(True)
        self.assertEqual([post for page, _ in self.links() for post in page], expected)
        found = by_name.nobodys(self.session)
        self.assertEqual((found[ghost], found[shouted]), (2, 1))
        later = get_user_model().objects.create_user(ghost)
        self.assertEqual(by_account.page(Account(later.pk, ghost), None), ((), None))
        self.owned(False)
        self.assertEqual(by_account.page(Account(later.pk, ghost), None), ((), None))

    def test_who_gets_a_name_gets_no_posts_with_it(self) -> None:
        self.fill(45)
        by_name.take_over(self.session, ids_by_name)
        get_user_model().objects.filter(pk=self.user.pk).update(username="after" + self.username)
        later = Account(get_user_model().objects.create_user(self.username).pk, self.username)
        for owned in (True, False):
            with self.subTest(owned=owned):
                self.owned(owned)
                self.assertEqual(by_account.page(later, None), ((), None))
        self.written_by_name("its own", datetime.now(UTC))
        posts, _ = by_account.page(later, None)
        self.assertEqual([post.content for post in posts], ["its own"])

    def test_what_was_written_before_there_was_the_account_is_not_its_own(self) -> None:
        self.written_by_name("an earlier one's", self.user.date_joined - timedelta(seconds=1))
        self.written_by_name("its own", datetime.now(UTC))
        self.assertEqual(self.listed(), ["its own"])

    def test_many_posts_of_another_account_hide_none(self) -> None:
        now, other = datetime.now(UTC), Account(-7, self.username)
        for number in range(60):
            by_account.add(other, uuid_from_time(now - timedelta(milliseconds=number)), "another's")
        self.written_by_name("its own", now - timedelta(milliseconds=70))
        with mock.patch.object(by_name, "SOME_IDS", 7):
            posts, _ = by_account.page(self.account, None)
        self.assertEqual([post.content for post in posts], ["its own"])

    def test_what_is_taken_over_while_a_page_is_read_is_on_it(self) -> None:
        expected, unowned = self.fill(30), by_name.unowned

        def meanwhile(*args: object, **kwargs: object) -> object:
            by_name.take_over(self.session, ids_by_name)
            return unowned(*args, **kwargs)

        with mock.patch.object(by_name, "unowned", meanwhile):
            posts, _ = by_account.page(self.account, None)
        self.assertEqual([post.content for post in posts], expected[:20])

    def test_an_owner_that_is_asked_for_again_is_believed_for_a_second_only(self) -> None:
        self.owned(True)
        self.assertTrue(by_name.all_owned(self.session))
        by_name.expect_older_release(self.session)
        self.assertFalse(by_name.all_owned(self.session))

    def test_both_commands_say_what_they_did(self) -> None:
        self.written_by_name("by name", datetime.now(UTC))
        call_command("own_posts", stdout=(out := _Out()))
        self.assertRegex(out.text, r"^posts: [1-9]\d* taken over by \d+ accounts, \d+ by nobody\n$")
        by_name._told = (float("-inf"), False)
        self.assertTrue(by_name.all_owned(self.session))
        call_command("expect_older_release", stdout=_Out())
        self.assertFalse(by_name.all_owned(self.session))

    def test_cassandra_and_we_sort_ids_alike(self) -> None:
        moment = uuid_from_time(datetime.now(UTC)).fields
        rest = ("80", "8000"), ("80", "807f"), ("80", "80ff"), ("80", "7fff"), ("bf", "0001")
        made = [
            uuid.UUID(
                fields=(*moment[:3], int(variant, 16), int(low[:2], 16), int(low[2:] * 6, 16))
            )
            for variant, low in rest
        ]
        for identity in made:
            by_account.add(self.account, identity, "at the same time")
        month = ids.month_of(ids.time_of(made[0]))
        rows = store.read(self.session, "select_posts", self.user.pk, month, ids.LATEST, 100)
        self.assertEqual([row.id for row in rows], sorted(made, key=ids.age, reverse=True))


class _Out:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text
