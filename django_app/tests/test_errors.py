from django.db import OperationalError, ProgrammingError
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase

from project import errors

# Number, what is said, whether the page is read again, whether it is "not now".
NUMBERS = (
    (1021, "Disk full", False, True),
    (1040, "Too many connections", False, True),
    (1053, "Server shutdown in progress", True, True),
    (1054, "Unknown column", False, False),
    (1146, "Table doesn't exist", False, False),
    (1152, "Aborted connection", True, True),
    (1158, "Got an error reading communication packets", True, True),
    (1161, "Got timeout writing communication packets", True, True),
    (1203, "User already has more than 'max_user_connections' active connections", False, True),
    (1205, "Lock wait timeout exceeded", False, True),
    (1213, "Deadlock found when trying to get lock", False, True),
    (1290, "The MySQL server is running with the --super-read-only option", False, True),
    (1317, "Query execution was interrupted", True, True),
    (1406, "Data too long for column", False, False),
    (1836, "Running in read-only mode", False, True),
    (2002, "Can't connect to local server through socket", False, True),
    (2003, "Can't connect to server", False, True),
    (2006, "Server has gone away", True, True),
    (2013, "Lost connection to server during query", True, True),
    (2026, "TLS/SSL error", False, True),
    (2055, "Lost connection to server at 'reading authorization packet'", True, True),
    (3024, "maximum statement execution time exceeded", False, True),
    (3032, "The server is currently in offline mode", True, True),
    (3100, "Error on observer while running replication hook", False, True),
    (3101, "Plugin instructed the server to rollback the current transaction", False, True),
    (3169, "Session was killed", True, True),
    (3572, "NOWAIT is set", False, False),
    (3783, "Held statement was aborted due to member being in error state", False, True),
    (3797, "Error while waiting for group transactions commit", False, True),
    (4031, "The client was disconnected by the server because of inactivity", True, True),
    (4094, "All queries have been blocked", False, True),
    (4313, "The server is currently in offline mode since", True, True),
)


class Numbers(SimpleTestCase):
    def test_each_number_is_what_it_means(self) -> None:
        for number, text, again, not_now in NUMBERS:
            with self.subTest(f"{number}: {text}"):
                response = self.answer(OperationalError(number, text))
                self.assertEqual(errors.lost_connection(response), again)
                self.assertEqual(response.status_code, 503 if not_now else 500)

    def test_an_error_of_another_kind_is_no_outage_whatever_its_number(self) -> None:
        for error in (
            ProgrammingError(2014, "Commands out of sync"),
            OperationalError(),
            OSError(1053),
        ):
            with self.subTest(repr(error)):
                response = self.answer(error)
                self.assertEqual(
                    (response.status_code, errors.lost_connection(response)), (500, False)
                )

    def answer(self, error: Exception) -> HttpResponse:
        request = RequestFactory().get("/posts/")
        request.lab_release = "a-release"
        try:
            raise error
        except type(error):
            return errors.server_error(request)
