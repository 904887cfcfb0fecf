from cassandra import ConsistencyLevel
from cassandra.policies import RetryPolicy
from django.test import SimpleTestCase

from posts.cluster import ReadAgain


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
                decision, _ = ReadAgain().on_read_timeout(None, retry_num=number, **info)
                self.assertEqual(decision, expected)

    def test_a_write_that_timed_out_is_not(self) -> None:
        info = {
            "consistency": ConsistencyLevel.LOCAL_QUORUM,
            "write_type": "SIMPLE",
            "required_responses": 2,
            "received_responses": 1,
        }
        decision, _ = ReadAgain().on_write_timeout(None, retry_num=0, **info)
        self.assertEqual(decision, RetryPolicy.RETHROW)
