from django.contrib.auth import get_user_model
from django.test import SimpleTestCase, TestCase

from tests.support import PASSWORD


class RedirectsThatFit(SimpleTestCase):
    def test_signing_in_comes_back_to_an_address_that_a_server_takes(self) -> None:
        rows = [
            ("/posts/", "a" * 7900, 302),
            ("/posts/", "a" * 8100, 414),
            # Quoted, each is three times as long.
            ("/posts/", "=" * 2500, 302),
            ("/posts/", "=" * 2700, 414),
            # So long that Django itself makes no redirect of it.
            ("/posts/", "=" * 7900, 414),
            ("/admin/", "a" * 7900, 302),
            ("/admin/", "=" * 2700, 414),
            # The slash that is missing.
            ("/posts", "a" * 7900, 301),
            ("/posts", "a" * 8100, 414),
        ]
        for path, query, status in rows:
            with self.subTest(f"{path}?{query[0]} {len(query)} times"):
                response = self.client.get(f"{path}?{query}")
                self.assertEqual(response.status_code, status)
                self.assertLess(len(response.headers.get("Location", "")), 8001)

    def test_the_answer_says_what_is_wrong(self) -> None:
        response = self.client.get("/posts/?" + "a" * 8100)
        self.assertContains(response, "That address is too long", status_code=414)


class SigningIn(TestCase):
    databases = {"default", "read_only"}

    def test_it_is_done_though_the_next_address_is_too_long(self) -> None:
        get_user_model().objects.create_user("ann", password=PASSWORD)
        form = {"username": "ann", "password": PASSWORD, "next": "/" + "a" * 8100}
        self.assertEqual(self.client.post("/accounts/login/", form).status_code, 414)
        self.assertEqual(self.client.get("/posts/create").status_code, 200)
