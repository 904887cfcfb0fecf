from unittest import mock

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import TestCase

from tests.support import PASSWORD


class Accounts(TestCase):
    databases = {"default", "read_only"}

    def setUp(self) -> None:
        get_user_model().objects.create_user("ann", password=PASSWORD)

    def sign_in(self, password: str = PASSWORD, **more: str) -> object:
        return self.client.post(
            "/accounts/login/", {"username": "ann", "password": password, **more}
        )

    def test_signed_in_only_after_the_right_password(self) -> None:
        response = self.client.get("/posts/create")
        self.assertRedirects(response, "/accounts/login/?next=/posts/create")
        wrong = self.sign_in("wrong")
        self.assertContains(wrong, "Please enter a correct username and password")
        self.assertEqual(self.client.get("/posts/create").status_code, 302)
        right = self.sign_in(next="/posts/create")
        self.assertRedirects(right, "/posts/create")
        self.assertIn("seen", right.cookies)

    def test_signing_in_leads_nowhere_else(self) -> None:
        response = self.sign_in(next="https://elsewhere.test/")
        self.assertRedirects(response, "/posts/", fetch_redirect_response=False)

    def test_signing_out_takes_a_post(self) -> None:
        self.sign_in()
        self.assertEqual(self.client.get("/accounts/logout/").status_code, 405)
        self.assertEqual(self.client.get("/posts/create").status_code, 200)
        self.assertRedirects(self.client.post("/accounts/logout/"), "/accounts/login/")
        self.assertEqual(self.client.get("/posts/create").status_code, 302)

    def test_the_administration_is_for_administrators(self) -> None:
        self.sign_in()
        self.assertEqual(self.client.get("/admin/").status_code, 302)
        admin = get_user_model().objects.create_superuser("root", password=PASSWORD)
        self.client.force_login(admin)
        page = self.client.get("/admin/")
        self.assertContains(page, "Served by")

    def test_while_mysql_is_away_users_are_told_so(self) -> None:
        self.sign_in()
        away = OperationalError(2013, "Lost connection to server")
        with (
            mock.patch("django.db.backends.utils.CursorWrapper.execute", side_effect=away),
            self.assertLogs("django.request", "ERROR"),
        ):
            self.client.raise_request_exception = False
            response = self.client.post("/posts/create", {"content": "<kept> & safe"})
        self.assertContains(response, "database of the accounts", status_code=503)
        self.assertContains(response, "&lt;kept&gt; &amp; safe", status_code=503)
        self.assertEqual(response["Retry-After"], "5")

    def test_a_session_that_mysql_can_t_save_has_not_ended(self) -> None:
        read_only, save = OperationalError(1290, "running with --read-only"), Session.save

        def save_new(session: Session, **options: object) -> None:
            if options["force_update"]:
                raise read_only
            save(session, **options)

        with (
            mock.patch.object(Session, "save", save_new),
            self.assertLogs("django.request", "ERROR"),
        ):
            response = self.sign_in()
        self.assertContains(response, "database of the accounts", status_code=503)

    def test_an_error_of_ours_is_not_called_an_outage(self) -> None:
        self.sign_in()
        wrong = OperationalError(1054, "Unknown column")
        with (
            mock.patch("django.db.backends.utils.CursorWrapper.execute", side_effect=wrong),
            self.assertLogs("django.request", "ERROR"),
        ):
            self.client.raise_request_exception = False
            response = self.client.get("/posts/")
        self.assertContains(response, "Something broke", status_code=500)
