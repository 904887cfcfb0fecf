"""How this project connects to Cassandra: one place for policies, time-outs and consistency."""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from time import monotonic

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    RetryPolicy,
    SpeculativeExecutionPlan,
    SpeculativeExecutionPolicy,
    TokenAwarePolicy,
)
from cassandra.pool import Host
from cassandra.query import Statement
from django.conf import settings

CONNECT_TIMEOUT = 2.0  # seconds
# On two busy cores a statement may wait for two. A page takes several: after five the balancer asks
# another web server.
REQUEST_TIMEOUT = 4.0
# Another node is asked, too, when a statement takes far longer than is usual at the time: seconds,
# at least and at most. A paused node costs a request this long instead of a time-out.
SOONEST, LATEST = 0.05, 1.0
# So many may be so soon, as a share of all, and at once; others wait for LATEST. When all nodes are
# slow, asking each twice would make them slower still.
SHARE, AT_ONCE = 0.05, 10
# Seconds for which a node that was late is asked last: by then one that does not answer is taken
# for down (8, see below).
PARDONED = 10.0


class Hedging(SpeculativeExecutionPolicy):
    """Which statements are sent a second time. Only those marked as idempotent ever are."""

    def __init__(self) -> None:
        self._usual, self._spread = 0.0, 0.0  # seconds
        self._left = float(AT_ONCE)

    def took(self, seconds: float) -> None:
        """Of a statement that was sent once. As TCP does for its retransmissions (RFC 6298)."""
        self._spread += (abs(seconds - self._usual) - self._spread) / 4
        self._usual += (seconds - self._usual) / 8

    def new_plan(self, keyspace: str, statement: Statement) -> SpeculativeExecutionPlan:
        self._left = min(self._left + SHARE, AT_ONCE)
        return OneMore(self)

    def delay(self) -> float:
        """Seconds until another node is asked."""
        if self._left < 1:
            return LATEST
        return min(max(self._usual + 4 * self._spread, SOONEST), LATEST)

    def sent(self) -> None:
        self._left = max(self._left - 1, 0)


class OneMore(SpeculativeExecutionPlan):
    """Of one statement. The driver asks when it sends it, and again once it was sent once more."""

    def __init__(self, policy: Hedging) -> None:
        self._policy, self._asked = policy, False

    def next_execution(self, host: Host | None) -> float:
        if self._asked:
            self._policy.sent()
            return -1
        self._asked = True
        return self._policy.delay()


class PunctualFirst(TokenAwarePolicy):
    """Whoever was late, or failed, is asked last for a while. So a node that does not answer costs
    a process one wait until the driver takes it for down, and not one a statement."""

    def __init__(self, child_policy: DCAwareRoundRobinPolicy) -> None:
        super().__init__(child_policy)
        self._late: dict[Host, float] = {}

    def make_query_plan(
        self, working_keyspace: str | None = None, query: Statement | None = None
    ) -> Iterator[Host]:
        hosts: Iterable[Host] = super().make_query_plan(working_keyspace, query)
        if self._late:
            hosts = sorted(hosts, key=self._was_late)
        for host in hosts:
            yield host
            # Only then is another one asked for.
            self._late[host] = monotonic()

    def _was_late(self, host: Host) -> bool:
        return monotonic() - self._late.get(host, float("-inf")) < PARDONED


class OnceMore(RetryPolicy):
    """The default policy, and what timed out is tried once more by another node: the first one
    waited for a replica that has just died. Whether a write was done is unknown then, so that only
    one that may be done twice is tried again."""

    def on_read_timeout(
        self, *args: object, retry_num: int, **kwargs: object
    ) -> tuple[int, object]:
        return (self.RETHROW if retry_num else self.RETRY_NEXT_HOST, None)

    def on_write_timeout(
        self, query: Statement, *args: object, retry_num: int, **kwargs: object
    ) -> tuple[int, object]:
        again = query.is_idempotent and not retry_num
        return (self.RETRY_NEXT_HOST if again else self.RETHROW, None)


@cache
def _row(names: tuple[str, ...]) -> type[tuple[object, ...]]:
    return namedtuple("Row", names)  # noqa: PYI024 - its fields are known then only


def rows(names: Sequence[str], found: Iterable[Iterable[object]]) -> list[tuple[object, ...]]:
    """By their columns' names. The driver's own way makes a class for each answer."""
    return [_row(tuple(names))(*values) for values in found]


def cluster(
    user: str,
    password: str,
    *,
    request_timeout: float = REQUEST_TIMEOUT,
    nodes: Sequence[str] = (),
) -> Cluster:
    profile = ExecutionProfile(
        load_balancing_policy=PunctualFirst(
            DCAwareRoundRobinPolicy(local_dc=settings.CASSANDRA_DATACENTER)
        ),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=request_timeout,
        retry_policy=OnceMore(),
        speculative_execution_policy=Hedging(),
        row_factory=rows,
    )
    return Cluster(
        nodes or settings.CASSANDRA_NODES,
        port=settings.CASSANDRA_PORT,
        auth_provider=PlainTextAuthProvider(user, password),
        protocol_version=5,
        connect_timeout=CONNECT_TIMEOUT,
        control_connection_timeout=CONNECT_TIMEOUT,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        # A node that came back is used again within a second.
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
        # A paused node keeps its connections open: find out in 8 s, not in 60.
        idle_heartbeat_interval=5,
        idle_heartbeat_timeout=3,
    )
