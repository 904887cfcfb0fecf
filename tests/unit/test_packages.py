"""Which package of lab/ may know which: no two know each other, however many lie between."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from lab.config.paths import FOLDER

LAB = FOLDER / "lab"


def package(module):
    """lab.engine.ssh belongs to engine; lab.errors stands for itself."""
    return module.split(".")[1]


def imported(text):
    """The packages of lab/ that a module imports from, wherever in it."""
    for statement in ast.walk(ast.parse(text)):
        match statement:
            case ast.ImportFrom(module="lab", names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module)) if module.startswith("lab."):
                yield package(module)
            case ast.Import(names=names):
                yield from (package(n.name) for n in names if n.name.startswith("lab."))


def knows():
    """Package to the others that its modules import from."""
    graph = {}
    for path in LAB.rglob("*.py"):
        name = path.relative_to(LAB).with_suffix("").parts[0]
        if name != "__init__":
            graph.setdefault(name, set()).update({*imported(path.read_text())} - {name})
    return graph


def test_no_packages_import_each_other_in_a_circle():
    tuple(TopologicalSorter(knows()).static_order())


@pytest.mark.parametrize(
    "text, packages",
    [
        ("from lab.engine.ssh import Node", ["engine"]),
        ("from lab.engine import ssh", ["engine"]),
        ("from lab import context, errors", ["context", "errors"]),
        ("import lab.engine.ssh", ["engine"]),
        ("def late():\n    from lab.deploy import roll", ["deploy"]),
        ("from labour.engine import ssh\nimport json", []),
    ],
)
def test_every_way_to_import_is_seen(text, packages):
    assert list(imported(text)) == packages


def test_a_circle_is_seen():
    with pytest.raises(CycleError):
        tuple(TopologicalSorter(knows() | {"errors": {"deploy"}}).static_order())
