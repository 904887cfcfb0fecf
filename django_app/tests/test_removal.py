import uuid
from datetime import UTC, datetime, timedelta

from cassandra.util import uuid_from_time
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.test import TestCase, override_settings

from posts import by_account, by_name, ids, removal, store
from posts.models import RemovedAccount
from posts.store import Account, StoreUnavailable
from tests.support import NO_CASSANDRA, listed_by_name

AT_ONCE = timedelta()


class Removing(TestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        self.name = f"ann-{uuid.uuid4().hex}"
        self.user = get_user_model().objects.create_user(self.name)
        self.account = Account(self.user.pk, self.name)
        self.session = store.connected()
        for content in ("one", "two"):
            by_account.add(self.account, ids.new_id(), content)

    def listed(self, account: Account) -> list[str]:
        return [post.content for post in by_account.page(account, None)[0]]

    def test_posts_go_with_their_account_by_whatever_way_it_goes(self) -> None:
        everybody = get_user_model().objects
        ways = {
            "itself": self.user.delete,
            "with others": everybody.filter(pk=self.user.pk).delete,
        }
        for way, remove in ways.items():
            with self.subTest(way):
                by_account.add(self.account, ids.new_id(), way)
                everybody.update_or_create(pk=self.account.id, defaults={"username": self.name})
                remove()
                self.assertEqual(removal.work_off(AT_ONCE), 1)
                self.assertEqual(self.listed(self.account), [])
                self.assertEqual(listed_by_name(self.name), [])
                months = store.read(self.session, "select_months_by_name", self.name)
                self.assertEqual(months, [])
                self.assertEqual(RemovedAccount.objects.count(), 0)

    def test_the_next_of_its_name_sees_none_of_them_and_keeps_its_own(self) -> None:
        self.user.delete()
        later = Account(get_user_model().objects.create_user(self.name).pk, self.name)
        self.assertEqual(self.listed(later), [])
        by_account.add(later, ids.new_id(), "its own")
        removal.work_off(AT_ONCE)
        self.assertEqual(self.listed(later), ["its own"])
        self.assertEqual(listed_by_name(self.name), ["its own"])
        self.assertTrue(store.read(self.session, "select_months_by_name", self.name))

    def test_posts_under_an_earlier_name_go_too(self) -> None:
        self.user.username = f"after-{self.name}"
        self.user.save()
        renamed = Account(self.user.pk, self.user.username)
        by_account.add(renamed, ids.new_id(), "three")
        self.assertEqual(self.listed(renamed), ["three", "two", "one"])
        self.user.delete()
        removal.work_off(AT_ONCE)
        self.assertEqual((self.listed(renamed), listed_by_name(self.name)), ([], []))

    def test_what_an_older_release_wrote_for_it_goes_too_but_nothing_written_later(self) -> None:
        store.write(self.session, ("delete_milestone", ("every post has its owner",)))
        self.addCleanup(by_name.finish, self.session)
        month = ids.month_of(datetime.now(UTC))
        rows = ("by name, before", "by name, after")
        for content in rows:
            if content == rows[1]:
                self.user.delete()
            place = (self.name, month, uuid_from_time(datetime.now(UTC)), content)
            store.write(self.session, ("insert_month_by_name", (self.name, month)))
            store.write(self.session, ("insert_post_by_name", place))
        by_name._told = (float("-inf"), False)
        removal.work_off(AT_ONCE)
        self.assertEqual(listed_by_name(self.name), ["by name, after"])

    def test_what_a_request_of_before_writes_after_it_goes_too(self) -> None:
        self.user.delete()
        self.assertEqual(removal.work_off(), 0)
        self.assertEqual(self.listed(self.account), [])
        by_account.add(self.account, ids.new_id(), "let in before")
        RemovedAccount.objects.update(removed=datetime.now(UTC) - removal.SETTLED)
        self.assertEqual(removal.work_off(), 1)
        self.assertEqual((self.listed(self.account), listed_by_name(self.name)), ([], []))
        self.assertEqual(removal.work_off(), 0)

    def test_an_account_that_went_without_a_note_is_found(self) -> None:
        models.query.QuerySet(get_user_model()).filter(pk=self.user.pk)._raw_delete("default")
        self.assertIn(self.user.pk, by_account.accounts())
        self.assertGreater(removal.note_gone(), 0)
        self.assertGreater(removal.work_off(AT_ONCE), 0)
        self.assertEqual((self.listed(self.account), listed_by_name(self.name)), ([], []))
        self.assertEqual(removal.note_gone(), 0)

    def test_while_cassandra_is_away_the_note_stays(self) -> None:
        self.user.delete()
        store.disconnect()
        with override_settings(**NO_CASSANDRA), self.assertRaises(StoreUnavailable):
            removal.work_off(AT_ONCE)
        self.assertEqual(RemovedAccount.objects.get().username, self.name)
        self.assertEqual(self.listed(self.account), ["two", "one"])
        self.assertEqual(removal.work_off(AT_ONCE), 1)
        self.assertEqual(self.listed(self.account), [])

    def test_an_account_that_stays_keeps_its_posts(self) -> None:
        with self.assertRaises(RuntimeError):
            self._removed_in_vain()
        self.assertEqual(removal.work_off(AT_ONCE), 0)
        self.assertEqual(self.listed(self.account), ["two", "one"])

    def _removed_in_vain(self) -> None:
        with transaction.atomic():
            self.user.delete()
            raise RuntimeError

    def test_the_administration_says_it_before(self) -> None:
        admin = get_user_model().objects.create_superuser(f"root-{uuid.uuid4().hex}")
        self.client.force_login(admin)
        page = self.client.get(f"/admin/auth/user/{self.account.id}/delete/").content.decode()
        self.assertIn(f"All posts of {self.name}, within a minute", page)
        chosen = {"action": "delete_selected", "_selected_action": [self.account.id]}
        page = self.client.post("/admin/auth/user/", chosen).content.decode()
        self.assertIn(f"All posts of {self.name}, within a minute", page)
