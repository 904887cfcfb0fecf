"""How this project connects to Cassandra: one place for policies, time-outs and consistency."""

from collections.abc import Sequence

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import Statement
from django.conf import settings

CONNECT_TIMEOUT = 2.0  # seconds
# On two busy cores a statement may wait for two. A page takes several: after five the balancer asks
# another web server.
REQUEST_TIMEOUT = 4.0
# A paused node costs a request this long instead of a time-out: another replica is asked too.
# Only statements marked as idempotent are sent twice.
SPECULATIVE_DELAY = 0.05
SPECULATIVE_ATTEMPTS = 2


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


def cluster(
    user: str,
    password: str,
    *,
    request_timeout: float = REQUEST_TIMEOUT,
    nodes: Sequence[str] = (),
) -> Cluster:
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(
            DCAwareRoundRobinPolicy(local_dc=settings.CASSANDRA_DATACENTER)
        ),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=request_timeout,
        retry_policy=OnceMore(),
        speculative_execution_policy=ConstantSpeculativeExecutionPolicy(
            SPECULATIVE_DELAY, SPECULATIVE_ATTEMPTS
        ),
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
