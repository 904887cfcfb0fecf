from unittest import mock

from cassandra import ConsistencyLevel
from cassandra.policies import HostDistance, RetryPolicy
from cassandra.query import SimpleStatement
from django.test import SimpleTestCase

from posts import cluster
from posts.cluster import Hedging, OnceMore, PunctualFirst


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


class Hedges(SimpleTestCase):
    def after(self, *seconds: float) -> Hedging:
        hedging = Hedging()
        for one in seconds:
            hedging.took(one)
        return hedging

    def test_a_second_node_is_asked_when_a_statement_takes_far_longer_than_is_usual(self) -> None:
        rows = (
            ("nothing is known", (), 0.05, 0.05),
            ("all are quick", (0.003, 0.005, 0.004) * 20, 0.05, 0.05),
            ("all take 100 ms", (0.1,) * 50, 0.099, 0.11),
            ("between 60 and 140 ms", (0.06, 0.14) * 50, 0.24, 0.28),
            ("quick, then slow", (0.004,) * 50 + (0.1,) * 4, 0.2, 0.35),
            ("very slow", (3.0,) * 50, 1.0, 1.0),
        )
        for name, seconds, least, most in rows:
            with self.subTest(name):
                delay = self.after(*seconds).new_plan("", None).next_execution(None)
                self.assertGreaterEqual(delay, least)
                self.assertLessEqual(delay, most)

    def test_a_statement_is_sent_once_more_at_most(self) -> None:
        plan = Hedging().new_plan("", None)
        self.assertEqual([plan.next_execution(None) for _ in range(3)], [0.05, -1, -1])

    def test_ten_at_once_and_a_twentieth_of_all_are_sent_twice_soon_and_others_late(self) -> None:
        hedging, delays = Hedging(), []
        for _ in range(200):
            plan = hedging.new_plan("", None)
            delays.append(plan.next_execution(None))
            # It took too long: the driver sends it again, and asks what then.
            self.assertEqual(plan.next_execution(None), -1)
        self.assertEqual(delays[:10], [0.05] * 10)
        self.assertEqual((delays.count(0.05), delays.count(1.0)), (10, 190))

    def test_one_that_was_quick_costs_nothing_of_that(self) -> None:
        hedging = Hedging()
        for _ in range(200):
            self.assertEqual(hedging.new_plan("", None).next_execution(None), 0.05)


class _Up:
    is_up = True


class _Child:
    """Four nodes in one order."""

    def __init__(self) -> None:
        self.hosts = [_Up() for _ in range(4)]

    def make_query_plan(self, *args: object) -> list[_Up]:
        return self.hosts

    def distance(self, host: _Up) -> int:
        return HostDistance.LOCAL


class Order(SimpleTestCase):
    def setUp(self) -> None:
        self.child = _Child()
        self.policy = PunctualFirst(self.child)

    def plan(self) -> list[int]:
        return [self.child.hosts.index(host) for host in self.policy.make_query_plan()]

    def ask(self, nodes: int) -> None:
        """As the driver does: another one only when the one before is late, or fails."""
        plan = self.policy.make_query_plan()
        for _ in range(nodes):
            next(plan)

    def test_who_was_late_is_asked_last_for_ten_seconds(self) -> None:
        with mock.patch.object(cluster, "monotonic", lambda: 100.0):
            self.ask(1)
            first = next(self.policy.make_query_plan())
            self.assertIs(first, self.child.hosts[0])
            self.ask(2)
            self.assertIs(next(self.policy.make_query_plan()), self.child.hosts[1])
        with mock.patch.object(cluster, "monotonic", lambda: 109.9):
            plan = self.policy.make_query_plan()
            self.assertEqual([self.child.hosts.index(next(plan)) for _ in range(4)], [1, 2, 3, 0])
        with mock.patch.object(cluster, "monotonic", lambda: 110.1):
            self.assertIs(next(self.policy.make_query_plan()), self.child.hosts[0])

    def test_all_are_asked_however_late_they_were(self) -> None:
        self.assertEqual(self.plan(), [0, 1, 2, 3])
        self.assertEqual(sorted(self.plan()), [0, 1, 2, 3])


class Rows(SimpleTestCase):
    def test_rows_have_their_columns_by_name(self) -> None:
        found = cluster.rows(["id", "content"], [(1, "a"), (2, "b")])
        self.assertEqual([(row.id, row.content) for row in found], [(1, "a"), (2, "b")])
        self.assertEqual(cluster.rows(["id"], []), [])
        self.assertIs(type(cluster.rows(["id"], [(3,)])[0]), type(cluster.rows(["id"], [(4,)])[0]))
