"""Ways to the site: hosts and origins, known or not, and what is said of those that are not."""

import re

from django.conf import settings
from django.http import HttpResponse
from django.test import Client, SimpleTestCase, override_settings

from project import origins
from tests.support import field

LOGIN = "/accounts/login/"


class Spelling(SimpleTestCase):
    def test_an_origin_is_spelled_as_browsers_spell_it(self) -> None:
        rows = {
            "http://lab.test": "http://lab.test",
            "http://lab.test:80": "http://lab.test",
            "http://lab.test:8080": "http://lab.test:8080",
            "http://lab.test:443": "http://lab.test:443",
            "https://lab.test:443": "https://lab.test",
            "https://lab.test:80": "https://lab.test:80",
            "HTTP://Lab.Test.": "http://lab.test",
            "http://lab.test.:8080": "http://lab.test:8080",
            "http://lab.test.:80": "http://lab.test",
            "http://[::1]:18080": "http://[::1]:18080",
            "http://[::80]": "http://[::80]",
            "null": "null",
            "": "",
        }
        for sent, expected in rows.items():
            with self.subTest(sent):
                self.assertEqual(origins.canonical(sent), expected)


@override_settings(
    ALLOWED_HOSTS=[*settings.ALLOWED_HOSTS, "192.168.56.10", "lab.test"],
    CSRF_TRUSTED_ORIGINS=["https://lab.test:8443", "https://tls.test"],
)
class Ways(SimpleTestCase):
    """Nothing here comes as far as a database."""

    def get(self, host: str) -> HttpResponse:
        return self.client.get("/", headers={"Host": host})

    def refused_form(self, host: str, origin: str) -> HttpResponse:
        """Of a form whose token is missing: that is said once the origin is no reason any more."""
        client = Client(enforce_csrf_checks=True)
        return client.post(LOGIN, headers={"Host": host, "Origin": origin})

    def test_each_known_host_is_led_to_its_own_pages(self) -> None:
        rows = (
            "192.168.56.10",
            "192.168.56.10:80",
            "192.168.56.10:8080",
            "127.0.0.1:18080",
            "localhost:18080",
            "node.localhost:18080",
            "[::1]:18080",
            "Lab.Test:9000",
            "lab.test.:9000",
        )
        for host in rows:
            with self.subTest(host):
                response = self.get(host)
                self.assertEqual((response.status_code, response["Location"]), (302, "/posts/"))

    def test_a_form_of_the_host_s_own_page_passes_whatever_the_port(self) -> None:
        rows = (
            ("192.168.56.10", "http://192.168.56.10"),
            ("192.168.56.10:80", "http://192.168.56.10"),
            ("192.168.56.10", "http://192.168.56.10:80"),
            ("192.168.56.10:8080", "http://192.168.56.10:8080"),
            ("127.0.0.1:18080", "http://127.0.0.1:18080"),
            ("localhost:18080", "http://localhost:18080"),
            ("[::1]:18080", "http://[::1]:18080"),
            ("LAB.test.:9000", "http://lab.test:9000"),
            ("lab.test:8443", "https://lab.test:8443"),
            ("192.168.56.10", "https://lab.test:8443"),
            ("lab.test", "https://tls.test:443"),
        )
        for host, origin in rows:
            with self.subTest(f"{host} {origin}"):
                response = self.refused_form(host, origin)
                self.assertContains(response, "Please send that again", status_code=403)
                self.assertEqual(response.refused_because, "CSRF cookie not set.")

    def test_a_form_of_another_origin_is_refused_and_says_which_and_where_to_list_it(self) -> None:
        rows = (
            ("lab.test", "https://lab.test", "https://lab.test"),
            ("lab.test:8443", "http://lab.test:8080", "http://lab.test:8080"),
            ("192.168.56.10", "http://192.168.56.10:8080", "http://192.168.56.10:8080"),
            ("127.0.0.1:18080", "https://127.0.0.1:18080", "https://127.0.0.1:18080"),
            ("lab.test", "http://evil.test", "http://evil.test"),
            ("lab.test", "x" * 5000, "x" * 270 + "…"),
        )
        for host, origin, named in rows:
            with self.subTest(f"{host} {origin[:40]}"):
                response = self.refused_form(host, origin)
                text = paragraph(response)
                self.assertEqual(response.status_code, 403)
                self.assertIn(f"A page of {named} sent the form", text)
                self.assertIn(f"adds {named}, as the browser shows it, to origins in lab.yml", text)
                self.assertNotIn("too old", text)
                self.assertEqual(
                    response.refused_because, f"origin {named} is not among origins in lab.yml"
                )

    def test_a_browser_that_names_no_origin_is_told_that(self) -> None:
        response = self.refused_form("lab.test", "null")
        self.assertIn("(Origin: null)", paragraph(response))
        self.assertEqual(response.refused_because, "origin null")

    def test_an_unknown_host_is_named_with_where_to_list_it(self) -> None:
        rows = {
            "elsewhere.test:8080": "elsewhere.test:8080",
            "Elsewhere.test.:80": "elsewhere.test",
            "127.0.0.2:18080": "127.0.0.2:18080",
            "[2001:db8::1]:8080": "[2001:db8::1]:8080",
            "a" * 5000: "a" * 270 + "…",
        }
        for host, named in rows.items():
            with self.subTest(host[:40]):
                response = self.get(host)
                text = paragraph(response)
                self.assertEqual(response.status_code, 400)
                self.assertIn(f"This lab is not known as {named}.", text)
                self.assertIn(f"adds http://{named} or https://{named}", text)
                self.assertIn("to origins in lab.yml", text)
                self.assertEqual(
                    response.refused_because, f"host {named} is not among origins in lab.yml"
                )

    def test_what_is_no_host_is_said_to_be_none(self) -> None:
        response = self.get("my_lab:8080")
        self.assertIn("“my_lab:8080” is no host", paragraph(response))
        self.assertEqual(response.refused_because, "my_lab:8080 is no host")
        response = self.get("")
        self.assertIn("The request names no host.", paragraph(response))
        self.assertEqual(response.refused_because, "no host is named")

    def test_markup_in_a_host_or_an_origin_stays_text(self) -> None:
        for response in (
            self.get("<b>x</b>"),
            self.refused_form("lab.test", "http://<b>x</b>"),
        ):
            self.assertIn("&lt;b&gt;x", response.content.decode())
            self.assertNotIn("<b>", response.content.decode())

    def test_the_reason_stands_in_the_request_s_own_line_and_in_no_other(self) -> None:
        with self.assertLogs(level="INFO") as logged:
            self.get("elsewhere.test")
            self.refused_form("lab.test", "https://elsewhere.test")
        self.assertEqual(
            [
                (record.name, record.fields["status"], record.fields["reason"])
                for record in logged.records
            ],
            [
                ("access", 400, "host elsewhere.test is not among origins in lab.yml"),
                ("access", 403, "origin https://elsewhere.test is not among origins in lab.yml"),
            ],
        )

    def test_what_a_client_says_of_its_scheme_or_host_changes_nothing(self) -> None:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.test"}
        client = Client(enforce_csrf_checks=True, headers=headers)
        response = client.post(LOGIN, headers={"Host": "lab.test", "Origin": "https://lab.test"})
        self.assertIn("A page of https://lab.test sent the form", paragraph(response))

    def test_the_form_of_the_page_passes_with_its_token(self) -> None:
        client = Client(enforce_csrf_checks=True, headers={"Host": "127.0.0.1:18080"})
        token = field(client.get(LOGIN).content.decode(), "csrfmiddlewaretoken")
        response = client.post(
            LOGIN, {"csrfmiddlewaretoken": token}, headers={"Origin": "http://127.0.0.1:18080"}
        )
        self.assertContains(response, "This field is required")


def paragraph(response: HttpResponse) -> str:
    found = re.search(r"<h1>.*?</h1>\s*<p>(.*?)</p>", response.content.decode(), re.DOTALL)
    assert found, response.content
    return found[1]
