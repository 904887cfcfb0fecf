from unittest import mock

from django.db import DataError, connections

from project import statements
from tests.support import PASSWORD, SignedIn


class Statements(SignedIn):
    def sent(self, path: str, form: dict[str, str] | None = None) -> list[dict[str, object]]:
        """What the access log has of one request."""
        with self.assertLogs("access", "INFO") as logged:
            self.client.get(path) if form is None else self.client.post(path, form)
        (record,) = logged.records
        return record.fields["statements"]

    def test_a_request_s_line_has_its_statements_in_order_and_without_values(self) -> None:
        form = self.form() | {"content": "very secret text"}
        sent = self.sent("/posts/create", form)
        self.assertEqual(
            [one["text"] for one in sent if one["database"] == "cassandra"],
            [
                "INSERT INTO months_of_accounts (account, month) VALUES (?, ?)",
                "INSERT INTO months (username, month) VALUES (?, ?)",
                "INSERT INTO owners (username, month, id, account) VALUES (?, ?, ?, ?)",
                "INSERT INTO posts_of_accounts (account, month, id, content, written_as)"
                " VALUES (?, ?, ?, ?, ?)",
                "INSERT INTO posts (username, month, id, content) VALUES (?, ?, ?, ?)",
            ],
        )
        session = sent[0]["text"]
        self.assertIn("FROM `django_session` WHERE", session)
        self.assertIn("`session_key` = %s", session)
        whole = repr(sent)
        for value in ("very secret text", self.username, self.client.session.session_key):
            self.assertNotIn(value, whole)

    def test_signing_in_shows_no_password(self) -> None:
        self.client.logout()
        sent = self.sent("/accounts/login/", {"username": self.username, "password": PASSWORD})
        texts = [one["text"] for one in sent]
        self.assertTrue(any(text.startswith("UPDATE `auth_user`") for text in texts), texts)
        self.assertNotIn(PASSWORD, repr(sent))
        self.assertNotIn(self.user.password, repr(sent))

    def test_times_lie_within_the_request(self) -> None:
        sent = self.sent("/posts/")
        begins = [one["at_ms"] for one in sent]
        self.assertEqual(begins, sorted(begins))
        self.assertTrue(all(one["ms"] >= 0 for one in sent), sent)

    def test_connecting_and_committing_are_noted(self) -> None:
        connection = connections.create_connection("default")
        kept = statements.Statements(0.0)
        token = statements.current.set(kept)
        try:
            connection.ensure_connection()
            connection.set_autocommit(False)
            connection.commit()
        finally:
            statements.current.reset(token)
            connection.close()
        texts = [one["text"] for one in kept.sent]
        self.assertEqual((texts[0], texts[-1]), ("(connect)", "COMMIT"))

    def test_a_long_list_and_a_long_text_are_cut(self) -> None:
        kept = statements.Statements(0.0)
        token = statements.current.set(kept)
        try:
            for _ in range(statements.MOST + 3):
                with statements.timed("default", "x" * 500 + "y" * 500):
                    pass
        finally:
            statements.current.reset(token)
        self.assertEqual((len(kept.sent), kept.fields()["more_statements"]), (40, 3))
        self.assertEqual({one["text"] for one in kept.sent}, {"x" * 65 + " ... " + "y" * 130})

    def test_a_statement_that_fails_says_how(self) -> None:
        kept = statements.Statements(0.0)
        token = statements.current.set(kept)
        try:
            with self.assertRaises(DataError), statements.timed("default", "SELECT 1"):
                raise DataError("with a value")
        finally:
            statements.current.reset(token)
        self.assertEqual(kept.sent[0]["error"], "DataError")
        self.assertNotIn("with a value", repr(kept.sent))

    def test_probes_are_not_recorded(self) -> None:
        for path in ("/uwsgi_health", "/ready"):
            with self.subTest(path), mock.patch.object(statements, "Statements") as made:
                self.client.get(path)
                made.assert_not_called()
