"""Reads what the container was told, and reports everything that is missing at once.

Knows how variables and secret files are read; which ones there are is up to its callers.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self


class Environment:
    """Collects the mistakes of one block of reads; leaving the block ends the process on any.

    SystemExit rather than ImproperlyConfigured: whoever started the container needs the list,
    not a traceback, and uWSGI and manage.py both end with status 1 on it.
    """

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        self._variables = variables
        self._mistakes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._mistakes:
            raise SystemExit("error: " + "; ".join(self._mistakes))

    def text(self, name: str, default: str | None = None) -> str:
        value = self._variables.get(name) or default
        if value is None:
            self._mistakes.append(f"{name} is not set")
            return ""
        return value

    def number(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit()):
            self._mistakes.append(f"{name} should be a whole number, found {value!r}")
            return default
        return int(value)

    def items(self, name: str, default: str | None = None) -> list[str]:
        """A comma-separated list."""
        return [item for item in self.text(name, default).replace(" ", "").split(",") if item]

    def secret(self, name: str, default: str | None = None) -> str:
        """What stands in the file that the variable names."""
        path = self.text(name, default)
        if not path:
            return ""
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            self._mistakes.append(f"{name}: cannot read {path} ({error.strerror})")
            return ""
        if not value:
            self._mistakes.append(f"{name}: {path} is empty")
        return value
