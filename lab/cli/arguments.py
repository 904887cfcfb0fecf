"""A task that takes either a name or --list, for which invoke has no way of its own."""

from __future__ import annotations

from typing import Any

from fabric.tasks import Task
from invoke.parser.argument import Argument

LIST = "list"


class NameOrList(Task):  # type: ignore[misc]
    """Its first argument is a name; its flag `list` makes that name LIST."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        name, *others = super().get_arguments(ignore_unknown_help)
        return [name, *(_instead_of(name, one) if one.name == LIST else one for one in others)]


class _Instead(Argument):
    replaced: Argument

    def set_value(self, value: Any, cast: bool = True) -> None:
        super().set_value(value, cast)
        self.replaced.value = LIST


def _instead_of(name: Argument, flag: Argument) -> Argument:
    argument = _Instead(names=flag.names, kind=bool, default=False, help=flag.help)
    argument.replaced = name
    return argument
