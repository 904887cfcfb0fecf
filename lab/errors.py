"""The one kind of error that a user is told in a line, without a traceback."""


class LabError(Exception):
    """What failed, where, and what to do next."""
