"""Which of the two databases each query goes to; the decision itself is in causal.py."""

from django.db import connections
from django.db.models import Model

from project import causal


class CausalRouter:
    def db_for_read(self, model: type[Model], **hints: object) -> str:
        return causal.database_for_read(
            causal.current.get(),
            # What is read inside a transaction may decide what it writes.
            in_transaction=connections[causal.PRIMARY].in_atomic_block,
            replica_has=causal.replica_has,
        )

    def db_for_write(self, model: type[Model], **hints: object) -> str:
        if reads := causal.current.get():
            reads.wrote = True
        return causal.PRIMARY

    def allow_relation(self, first: Model, second: Model, **hints: object) -> bool:
        """The two databases hold the same rows."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == causal.PRIMARY
