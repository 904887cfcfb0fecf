"""Reads from the replicas that never miss the user's own writes, whatever the replicas' lag.

After a request that wrote, the user's browser keeps the set of transactions that the primary had
then executed (GTIDs), signed. A later request reads from a replica only if that replica says
that it has executed them all. A time limit would be simpler and wrong: lag has no upper bound.
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import Error, connections
from django.http import HttpRequest, HttpResponse

from project.middleware import GetResponse

logger = logging.getLogger(__name__)

PRIMARY = "default"
REPLICA = "read_only"
COOKIE = "seen"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
# In place of a set of transactions: read from the primary until a later write replaces it.
ALWAYS_PRIMARY = "primary"
# Characters. Browsers drop cookies over 4,096 bytes with name and attributes; a group has one
# short interval per primary so far.
LONGEST_SET = 3000

# Whether the replica has executed a set of transactions.
QUESTION = "SELECT GTID_SUBSET(%s, @@global.gtid_executed)"

signer = Signer(salt="project.causal")


@dataclass(slots=True)
class Reads:
    """What is known about the reads of one request."""

    safe_method: bool
    seen: str | None
    wrote: bool = False
    replica_suffices: bool | None = None

    def replica_in_question(self) -> bool:
        """Whether it depends on what the replica says where to read."""
        return (
            self.safe_method
            and not self.wrote
            and self.seen not in {None, ALWAYS_PRIMARY}
            and self.replica_suffices is None
        )


current: ContextVar[Reads | None] = ContextVar("reads", default=None)


def database_for_read(
    reads: Reads | None, *, in_transaction: bool, replica_has: Callable[[str], bool]
) -> str:
    """Which database to read from; asks the replica at most once per request."""
    if reads is None or in_transaction or reads.wrote or not reads.safe_method:
        return PRIMARY
    if reads.seen is None:
        return REPLICA
    if reads.seen == ALWAYS_PRIMARY:
        return PRIMARY
    if reads.replica_suffices is None:
        reads.replica_suffices = replica_has(reads.seen)
    return REPLICA if reads.replica_suffices else PRIMARY


def replica_has(transactions: str) -> bool:
    try:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(QUESTION, [transactions])
            return cursor.fetchone() == (1,)
    except Error as error:
        note_unasked(error)
        return False


def note_unasked(error: Error) -> None:
    logger.warning("reading from the primary: the replica cannot be asked (%s)", error)


def executed_by_primary() -> str:
    """The transactions that a later read has to see."""
    try:
        with connections[PRIMARY].cursor() as cursor:
            cursor.execute("SELECT @@global.gtid_executed")
            transactions = "".join(cursor.fetchone()[0].split())
    except Error as error:
        logger.warning("pinning the user to the primary: it does not answer (%s)", error)
        return ALWAYS_PRIMARY
    return transactions if len(transactions) <= LONGEST_SET else ALWAYS_PRIMARY


def seen_before(request: HttpRequest) -> str | None:
    try:
        return signer.unsign(request.COOKIES[COOKIE])
    except KeyError:
        return None
    except BadSignature:
        return ALWAYS_PRIMARY


def causal_reads(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        reads = Reads(safe_method=request.method in SAFE_METHODS, seen=seen_before(request))
        token = current.set(reads)
        try:
            response = get_response(request)
        finally:
            current.reset(token)
        if reads.wrote:
            response.set_cookie(
                COOKIE,
                signer.sign(executed_by_primary()),
                # A user who was away for longer has no session left, and logging in writes.
                max_age=settings.SESSION_COOKIE_AGE,
                httponly=True,
                samesite="Lax",
            )
        return response

    return middleware
