from cassandra import ConsistencyLevel
from cassandra.policies import RetryPolicy
from cassandra.query import SimpleStatement
from django.test import SimpleTestCase

from posts.cluster import OnceMore


class Retries(SimpleTestCase):
    def test_a_read_that_timed_out_is_tried_once_more_elsewhere(self) -> None:
        info = {
            "consistency": ConsistencyLevel.LOCAL_QUORUM,
            "required_responses": 2,
            "received_responses": 1,
            "data_retrieved": False,
        }
        for number, expected in ((0, RetryPolicy.RETRY_NEXT_HOST), (1, RetryPolicy.RETHROW)):
            with self.subTest(number):
                decision, _ = OnceMore().on_read_timeout(None, retry_num=number, **info)
                self.assertEqual(decision, expected)

    def test_a_write_that_timed_out_is_too_if_it_may_be_done_twice(self) -> None:
        info = {
            "consistency": ConsistencyLevel.LOCAL_QUORUM,
            "write_type": "SIMPLE",
            "required_responses": 2,
            "received_responses": 1,
        }
        rows = (
            (True, 0, RetryPolicy.RETRY_NEXT_HOST),
            (True, 1, RetryPolicy.RETHROW),
            (False, 0, RetryPolicy.RETHROW),
        )
        for idempotent, number, expected in rows:
            with self.subTest(idempotent=idempotent, number=number):
                statement = SimpleStatement("", is_idempotent=idempotent)
                decision, _ = OnceMore().on_write_timeout(statement, retry_num=number, **info)
                self.assertEqual(decision, expected)
