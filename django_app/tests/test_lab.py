import json
import logging
import tempfile
import threading
from io import StringIO
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import SimpleTestCase, TestCase, override_settings

from posts import store
from project import health, logs, middleware
from project.environment import Environment
from tests.support import NO_CASSANDRA, NO_MYSQL


class RequestIds(SimpleTestCase):
    def test_an_id_that_fits_a_header_is_kept(self) -> None:
        rows = ["a", "4f3a-9.b:c_d", "X" * 128]
        for offered in rows:
            with self.subTest(offered):
                self.assertEqual(middleware.request_id(offered), offered)

    def test_any_other_is_replaced(self) -> None:
        rows = [None, "", "X" * 129, "a b", "a\n", "-a", 'a"b', "é", "a;b", "<a>"]
        for offered in rows:
            with self.subTest(offered):
                self.assertRegex(middleware.request_id(offered), r"\A[0-9a-f]{32}\Z")


class Releases(SimpleTestCase):
    def test_the_release_is_what_the_file_says_now(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "release"
            self.assertEqual(middleware.release(file), "unreleased")
            for written, expected in (
                ("2026-11-24T10.20-abc123\n", "2026-11-24T10.20-abc123"),
                ("", "unreleased"),
                ("two\nlines", "unreleased"),
                ("é", "unreleased"),
            ):
                with self.subTest(written):
                    file.write_text(written, encoding="utf-8")
                    self.assertEqual(middleware.release(file), expected)


class Logs(SimpleTestCase):
    def test_an_event_is_one_line_whatever_it_holds(self) -> None:
        record = logging.LogRecord("x", logging.INFO, "", 0, 'a"\nb %s', ("c",), None)
        record.fields = {"path": "/\n"}
        line = logs.JsonFormatter().format(record)
        self.assertNotIn("\n", line)
        event = json.loads(line)
        self.assertEqual((event["message"], event["path"]), ('a"\nb c', "/\n"))


class Settings(SimpleTestCase):
    def test_everything_that_is_missing_is_reported_at_once(self) -> None:
        environment = Environment({"PORT": "x", "EMPTY": "", "SECRET_FILE": "/nowhere"})
        with self.assertRaises(SystemExit) as stopped, environment as env:
            env.text("NAME")
            env.text("EMPTY")
            env.number("PORT", 1)
            env.items("HOSTS")
            env.secret("SECRET_FILE")
            self.assertEqual(env.text("OPTIONAL", "default"), "default")
        self.assertEqual(
            str(stopped.exception),
            "error: NAME is not set; EMPTY is not set; PORT should be a whole number, found 'x';"
            " HOSTS is not set; SECRET_FILE: cannot read /nowhere (No such file or directory)",
        )

    def test_the_deployment_check_finds_nothing_but_what_plain_http_explains(self) -> None:
        call_command("check", deploy=True, fail_level="WARNING", stdout=StringIO())
        self.assertEqual(
            settings.SILENCED_SYSTEM_CHECKS,
            ["security.W004", "security.W008", "security.W012", "security.W016"],
        )


class Headers(TestCase):
    databases = {"default", "read_only"}

    def test_every_answer_says_who_gave_it(self) -> None:
        rows = {"/": 302, "/accounts/login/": 200, "/nowhere": 404, "/uwsgi_health": 200}
        for path, status in rows.items():
            with self.subTest(path):
                response = self.client.get(path, headers={"X-Request-ID": "id-1"})
                self.assertEqual(response.status_code, status)
                self.assertEqual(response["X-Lab-Node"], settings.LAB_NODE)
                self.assertEqual(response["X-Lab-Mode"], settings.LAB_MODE)
                self.assertEqual(response["X-Lab-Release"], "unreleased")
                self.assertEqual(response["X-Request-ID"], "id-1")

    def test_pages_say_it_at_their_foot_too(self) -> None:
        for path in ("/accounts/login/", "/nowhere"):
            with self.subTest(path):
                foot = self.client.get(path).content.decode().partition("<footer>")[2]
                for text in (settings.LAB_NODE, settings.LAB_MODE, "unreleased"):
                    self.assertIn(text, foot)

    def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(self) -> None:
        self.assertEqual(
            self.client.get("/accounts/login/")["Content-Security-Policy"],
            "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'self';"
            " frame-ancestors 'none'; img-src 'self'; script-src 'self'; style-src 'self'",
        )

    def test_an_unknown_host_is_refused_but_for_health(self) -> None:
        rows = {"/accounts/login/": 400, "/uwsgi_health": 200}
        for path, status in rows.items():
            with self.subTest(path), self.settings(ALLOWED_HOSTS=["lab.test"]):
                response = self.client.get(path, headers={"Host": "elsewhere.test"})
                self.assertEqual(response.status_code, status)


class Health(TestCase):
    databases = {"default", "read_only"}

    def test_health_asks_no_database(self) -> None:
        with self.assertNumQueries(0), mock.patch.object(store, "connected") as connected:
            response = self.client.get("/uwsgi_health")
        self.assertEqual((response.status_code, response.content), (200, b"ok\n"))
        connected.assert_not_called()

    def test_ready_when_everything_answers(self) -> None:
        response = self.client.get("/ready")
        self.assertEqual(response.status_code, 200)
        self.assertEqual(
            response.json(),
            {"ready": True, "checks": {"mysql_write": "ok", "mysql_read": "ok", "cassandra": "ok"}},
        )

    def test_ready_names_the_mysql_that_is_down_and_logs_why(self) -> None:
        for alias, check in (("default", "mysql_write"), ("read_only", "mysql_read")):
            with (
                self.subTest(alias),
                mock.patch.dict(connections.settings[alias], NO_MYSQL),
                self.assertLogs("project.health", "WARNING") as logged,
            ):
                response = self.client.get("/ready")
                self.assertEqual(response.status_code, 503)
                self.assertEqual(
                    response.json()["checks"],
                    {"mysql_write": "ok", "mysql_read": "ok", "cassandra": "ok"} | {check: "down"},
                )
                self.assertNotIn(b"127.0.0.1", response.content)
                self.assertIn("127.0.0.1", logged.output[0])

    def test_ready_names_cassandra_if_that_is_down(self) -> None:
        store.disconnect()
        with override_settings(**NO_CASSANDRA), self.assertLogs("project.health", "WARNING"):
            response = self.client.get("/ready")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(
            response.json()["checks"],
            {"mysql_write": "ok", "mysql_read": "ok", "cassandra": "down"},
        )

    def test_a_check_that_hangs_is_down_when_the_time_is_up(self) -> None:
        released = threading.Event()
        checks = {"hangs": released.wait, "works": lambda: None}
        with self.assertLogs("project.health", "WARNING"):
            found = health.results(checks, timeout=0.1)
        released.set()
        self.assertEqual(found, {"hangs": "down", "works": "ok"})
