from django.contrib.auth import get_user_model
from django.test import TestCase

from project.setup import mysql
from project.setup.mysql import Passwords

FILES = Passwords(admin="of the file", probe="of the probe", reset_admin=False)
RESET = Passwords(admin="of the file", probe="of the probe", reset_admin=True)


class OwnAccounts(TestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        self.said: list[str] = []

    def account(self, name: str) -> object:
        return get_user_model().objects.get(username=name)

    def administrators(self) -> list[str]:
        return list(
            get_user_model().objects.filter(is_superuser=True).values_list("username", flat=True)
        )

    def test_the_administrator_is_made_once(self) -> None:
        for said in ("administrator admin: created", "administrator admin: was there"):
            mysql.keep_administrator(FILES, self.said.append)
            self.assertEqual(self.said.pop(), said)
        self.assertTrue(self.account("admin").check_password("of the file"))

    def test_a_password_that_its_owner_chose_stays_until_it_is_to_be_reset(self) -> None:
        mysql.keep_administrator(FILES, self.said.append)
        administrator = self.account("admin")
        administrator.set_password("chosen")
        administrator.save()
        mysql.keep_administrator(FILES, self.said.append)
        self.assertTrue(self.account("admin").check_password("chosen"))
        mysql.keep_administrator(RESET, self.said.append)
        self.assertTrue(self.account("admin").check_password("of the file"))
        self.assertEqual(self.said[-1], "administrator admin: password set to the file's")

    def test_a_renamed_administrator_is_not_made_again_unless_asked_for(self) -> None:
        mysql.keep_administrator(FILES, self.said.append)
        get_user_model().objects.filter(username="admin").update(username="root")
        mysql.keep_administrator(FILES, self.said.append)
        self.assertEqual(self.administrators(), ["root"])
        mysql.keep_administrator(RESET, self.said.append)
        self.assertCountEqual(self.administrators(), ["root", "admin"])

    def test_the_probe_has_no_rights_whatever_was_made_of_it(self) -> None:
        mysql.keep_probe("of the probe", self.said.append)
        for change in (
            {"is_superuser": True},
            {"is_active": False},
            {"password": "!"},
            {"is_staff": True},
        ):
            with self.subTest(change):
                get_user_model().objects.filter(username="lab-probe").update(**change)
                mysql.keep_probe("of the probe", self.said.append)
                probe = self.account("lab-probe")
                self.assertEqual(
                    (probe.is_active, probe.is_staff, probe.is_superuser), (True, False, False)
                )
                self.assertTrue(probe.check_password("of the probe"))
                self.assertEqual(self.said[-1], "account lab-probe: as it has to be again")
        mysql.keep_probe("of the probe", self.said.append)
        self.assertEqual(self.said[-1], "account lab-probe: was there")
