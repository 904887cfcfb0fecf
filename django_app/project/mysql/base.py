"""Django's own MySQL backend, which also notes what it sends (statements.py).

A backend rather than a wrapper around each request: connecting and committing, which cost most,
pass no wrapper.
"""

from django.db.backends.mysql import base

from project import statements


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(statements.execute)

    def get_new_connection(self, parameters: dict[str, object]) -> object:
        with statements.timed(self.alias, statements.CONNECT):
            return super().get_new_connection(parameters)

    def _commit(self) -> None:
        with statements.timed(self.alias, "COMMIT"):
            super()._commit()
