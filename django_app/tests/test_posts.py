import html
import uuid
from datetime import UTC, datetime, timedelta

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT
from cassandra.util import uuid_from_time
from django.test import Client, override_settings

from posts import by_account, by_name, ids, store
from tests.support import NO_CASSANDRA, SignedIn, field, texts

LONG = ("Ünïcode 🦊 <b>&\n" * 1000)[:10_000]
assert len(LONG) == 10_000


class Creating(SignedIn):
    def test_a_post_is_listed_at_both_addresses(self) -> None:
        response = self.client.post("/posts/create", self.form() | {"content": "hello"})
        self.assertRedirects(response, "/posts/")
        self.assertEqual(self.listed(), ["hello"])
        self.assertEqual(texts(self.client.get("/posts/list").content.decode()), ["hello"])

    def test_a_form_of_another_site_posts_nothing(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        response = client.post("/posts/create", {"content": "forged"})
        self.assertContains(response, "Please send that again", status_code=403)
        self.assertEqual(self.listed(), [])

    def test_others_do_not_see_it(self) -> None:
        self.client.post("/posts/create", {"content": "mine"})
        self.assertEqual(texts(self.other_client().get("/posts/").content.decode()), [])

    def test_a_form_sent_twice_makes_one_post(self) -> None:
        form = self.form() | {"content": "once"}
        for _ in range(2):
            self.assertEqual(self.client.post("/posts/create", form).status_code, 302)
        self.assertEqual(self.listed(), ["once"])

    def test_a_form_changed_and_sent_again_overwrites_nothing(self) -> None:
        form = self.form()
        for content in ("first", "second"):
            self.client.post("/posts/create", form | {"content": content})
        self.assertCountEqual(self.listed(), ["first", "second"])

    def test_without_an_issued_id_each_is_a_post(self) -> None:
        for _ in range(2):
            self.client.post("/posts/create", {"content": "again"})
        self.assertEqual(self.listed(), ["again", "again"])

    def test_an_id_that_was_not_issued_to_the_user_is_refused_and_the_text_kept(self) -> None:
        theirs = field(self.other_client().get("/posts/create").content.decode(), "issued")
        old = uuid_from_time(datetime.now(UTC) - timedelta(hours=13))
        rows = {
            "tampered": (self.form()["issued"] + "x", "was not made for you"),
            "another user's": (theirs, "was not made for you"),
            "old": (ids.issued(old, self.username), "open for very long"),
        }
        for name, (issued, reason) in rows.items():
            with self.subTest(name):
                form = {"issued": issued, "content": "kept <text>"}
                response = self.client.post("/posts/create", form)
                self.assertContains(response, reason, status_code=400)
                page = response.content.decode()
                self.assertIn("kept &lt;text&gt;</textarea>", page)
                self.assertEqual(self.listed(), [])
        again = {"issued": field(page, "issued"), "content": "kept <text>"}
        self.assertEqual(self.client.post("/posts/create", again).status_code, 302)
        self.assertEqual(self.listed(), ["kept <text>"])

    def test_ten_thousand_characters_are_stored_as_typed(self) -> None:
        sent = self.form() | {"content": LONG.replace("\n", "\r\n")}
        self.assertEqual(self.client.post("/posts/create", sent).status_code, 302)
        self.assertEqual(self.listed(), [LONG])
        self.assertIn(html.escape(LONG), self.client.get("/posts/").content.decode())

    def test_one_more_is_refused_and_kept(self) -> None:
        response = self.client.post("/posts/create", self.form() | {"content": "🦊" * 10_001})
        self.assertContains(response, "That is 10001 characters; 10000 is the most.")
        self.assertContains(response, "🦊" * 10_001)
        self.assertEqual(self.listed(), [])

    def test_nothing_is_no_post(self) -> None:
        for content in ("", " \r\n\t "):
            with self.subTest(content):
                response = self.client.post("/posts/create", {"content": content})
                self.assertContains(response, "Write something first.")
        self.assertEqual(self.listed(), [])

    def test_line_breaks_and_spaces_are_kept(self) -> None:
        self.client.post("/posts/create", {"content": "  a\r\n\r\n\tb\rc  "})
        self.assertEqual(self.listed(), ["  a\n\n\tb\nc  "])

    def test_while_cassandra_is_away_the_text_is_kept(self) -> None:
        form = self.form() | {"content": "kept & safe"}
        store.disconnect()
        self.client.raise_request_exception = False
        with override_settings(**NO_CASSANDRA), self.assertLogs("django.request", "ERROR"):
            response = self.client.post("/posts/create", form)
        self.assertContains(response, "store of the posts", status_code=503)
        self.assertContains(response, "kept &amp; safe</textarea>", status_code=503)
        again = {"issued": field(response.content.decode(), "issued"), "content": "kept & safe"}
        self.assertEqual(self.client.post("/posts/create", again).status_code, 302)
        self.assertEqual(self.listed(), ["kept & safe"])


class Listing(SignedIn):
    def fill(self, count: int) -> list[str]:
        """Posts of several months, some of them empty, newest first; then the user signs in."""
        now = datetime.now(UTC)
        for number in range(count):
            identity = uuid_from_time(now - timedelta(days=7 * number + 90 * (number // 9)))
            by_account.add(self.account, identity, f"post {number}")
        self.client.force_login(self.user)
        return [f"post {number}" for number in range(count)]

    def pages(self) -> list[list[str]]:
        address, found = "/posts/", []
        while address:
            page = self.client.get(address).content.decode()
            found.append(texts(page))
            _, link, rest = page.partition('rel="next" href="')
            address = html.unescape(rest.partition('"')[0]) if link else ""
        return found

    def test_pages_hold_every_post_once_newest_first(self) -> None:
        expected = self.fill(45)
        pages = self.pages()
        self.assertEqual([len(page) for page in pages], [20, 20, 5])
        self.assertEqual([post for page in pages for post in page], expected)

    def test_a_post_says_when_it_was_written(self) -> None:
        moment = datetime.now(UTC).replace(microsecond=0)
        by_account.add(self.account, uuid_from_time(moment), "dated")
        day = f"{moment.day} {moment.strftime('%B %Y, %H:%M')}"
        self.assertContains(
            self.client.get("/posts/"),
            f'<time datetime="{moment.isoformat()}">{day} UTC</time>',
        )

    def test_a_full_last_page_leads_nowhere(self) -> None:
        self.fill(20)
        self.assertEqual([len(page) for page in self.pages()], [20])

    def test_a_cursor_that_is_damaged_or_somebody_elses_is_refused(self) -> None:
        self.fill(21)
        page = self.client.get("/posts/").content.decode()
        link = html.unescape(page.partition('rel="next" href="')[2].partition('"')[0])
        self.assertEqual(self.client.get(link).status_code, 200)
        rows = {
            "somebody else's": (self.other_client(), link),
            "damaged": (self.client, link[:-1]),
            "empty": (self.client, "/posts/?from="),
        }
        for name, (client, address) in rows.items():
            with self.subTest(name):
                response = client.get(address)
                self.assertContains(response, "can’t be read", status_code=400)

    def asked(self, address: str) -> list[str]:
        """Which statements a page sends to Cassandra."""
        by_name.all_owned(store.connected())
        with self.assertLogs("access", "INFO") as logged:
            self.client.get(address)
        (record,) = logged.records
        sent = [one for one in record.fields["statements"] if one["database"] == "cassandra"]
        names = {text: name for name, text in store.STATEMENTS.items()}
        return [names[one["text"]] for one in sent]

    def test_a_page_takes_one_statement_if_its_month_suffices(self) -> None:
        now = datetime.now(UTC)
        for number in range(30):
            moment = now - timedelta(milliseconds=number)
            by_account.add(self.account, uuid_from_time(moment), f"post {number}")
        self.assertEqual(self.asked("/posts/"), ["select_posts"])
        page = self.client.get("/posts/").content.decode()
        link = html.unescape(page.partition('rel="next" href="')[2].partition('"')[0])
        self.assertEqual(self.asked(link), ["select_posts"])
        self.assertEqual(len(texts(self.client.get(link).content.decode())), 10)

    def test_a_short_list_takes_one_too_once_the_session_knows_the_months(self) -> None:
        self.client.post("/posts/create", self.form() | {"content": "hello"})
        self.assertEqual(self.asked("/posts/"), ["select_posts"])
        self.forget_months()
        self.assertEqual(self.asked("/posts/"), ["select_posts", "select_months"])

    def forget_months(self, since: datetime | None = None) -> None:
        """As of a session that an older release began; or that did so long ago."""
        session = self.client.session
        if since is None:
            del session["months"]
        else:
            session["months"] = [since.timestamp(), []]
        session.save()

    def test_a_session_that_is_older_than_a_month_finds_what_was_posted_since(self) -> None:
        expected = self.fill(9)
        self.forget_months(since=datetime.now(UTC) - timedelta(days=7 * 9))
        self.assertEqual(self.listed(), expected)

    def test_without_cassandra_one_may_sign_in_and_lists_everything_later(self) -> None:
        expected = self.fill(25)
        store.disconnect()
        with override_settings(**NO_CASSANDRA):
            self.client.logout()
            self.client.force_login(self.user)
        self.assertNotIn("months", self.client.session)
        self.assertEqual([post for page in self.pages() for post in page], expected)

    def test_reads_and_writes_ask_a_quorum_and_may_be_sent_twice(self) -> None:
        connected = store.connected()
        profile = connected.session.get_execution_profile(EXEC_PROFILE_DEFAULT)
        self.assertEqual(profile.consistency_level, ConsistencyLevel.LOCAL_QUORUM)
        self.assertIs(profile.speculative_execution_policy, connected.hedging)
        for name in store.STATEMENTS:
            with self.subTest(name):
                self.assertTrue(connected.prepared[name].is_idempotent)

    def test_ids_of_one_moment_do_not_hide_each_other(self) -> None:
        moment = datetime.now(UTC)
        for number in range(3):
            identity = uuid_from_time(moment, node=uuid.uuid4().int >> 80)
            by_account.add(self.account, identity, f"{number}")
        self.assertCountEqual(self.listed(), ["0", "1", "2"])
