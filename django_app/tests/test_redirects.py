from django.http import HttpResponseRedirect
from django.test import RequestFactory, SimpleTestCase

from project.redirects import redirects_that_fit


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

    def test_what_was_done_meanwhile_is_kept(self) -> None:
        done = HttpResponseRedirect("/" + "a" * 8100)
        done.set_cookie("seen", "a-write")
        request = RequestFactory().get("/")
        request.lab_release = "a-release"
        answer = redirects_that_fit(lambda _: done)(request)
        self.assertEqual((answer.status_code, answer.cookies["seen"].value), (414, "a-write"))
