"""What all unit tests share: no record is ever formatted as it is, whoever writes the text."""

import importlib
import pkgutil
from dataclasses import is_dataclass

import pytest
from pydantic import BaseModel

import lab
from tests.unit.fake_lab import World


def records():
    """Every class of the lab's packages that holds values and has no words of its own for them."""
    for module in pkgutil.walk_packages(lab.__path__, "lab."):
        for found in vars(importlib.import_module(module.name)).values():
            holds = isinstance(found, type) and (
                is_dataclass(found) or issubclass(found, BaseModel)
            )
            if holds and found.__module__.startswith("lab.") and "__str__" not in vars(found):
                yield found


@pytest.fixture(autouse=True, scope="session")
def no_record_reaches_a_user():
    """`f"{record}"` would show its class and all its fields; what is for people, words them."""

    def refuse(record):
        raise AssertionError(f"a {type(record).__name__} is formatted as it is")

    with pytest.MonkeyPatch.context() as patched:
        for record in set(records()):
            patched.setattr(record, "__str__", refuse)
        yield


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A lab without machines, in which nothing is there yet."""
    return World(monkeypatch, tmp_path)
