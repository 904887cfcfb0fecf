"""Sessions as Django keeps them in MySQL, asked for together with what a read has to know first.

Whether the replica has executed what the user has seen, and the session, are one round trip.
"""

from django.contrib.sessions.backends import db
from django.db import Error, connections
from django.utils import timezone

from project import causal

# One after the other: the second finds at least what the first was asked about.
SESSION = "SELECT session_data FROM `django_session` WHERE session_key = %s AND expire_date > %s"
TOGETHER = "; ".join((causal.QUESTION, SESSION))


class SessionStore(db.SessionStore):
    """Of the same name as Django's own, by which older releases know its signatures."""

    def load(self) -> dict[str, object]:
        reads = causal.current.get()
        in_transaction = connections[causal.PRIMARY].in_atomic_block
        if in_transaction or reads is None or not reads.replica_in_question():
            return super().load()
        try:
            reads.replica_suffices, found = self._asked(reads.seen)
        except Error as error:
            causal.note_unasked(error)
            reads.replica_suffices = False
        if not reads.replica_suffices:
            return super().load()
        if found is None:
            self._session_key = None
            return {}
        return self.decode(found[0])

    def _asked(self, seen: str) -> tuple[bool, tuple[str] | None]:
        """Whether the replica suffices, and the row that it has, if any."""
        replica = connections[causal.REPLICA]
        now = replica.ops.adapt_datetimefield_value(timezone.now())
        with replica.cursor() as cursor:
            cursor.execute(TOGETHER, [seen, self.session_key, now])
            suffices = cursor.fetchone() == (1,)
            cursor.nextset()
            return suffices, cursor.fetchone()
