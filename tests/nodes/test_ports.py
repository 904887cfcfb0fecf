"""Every port of every node, from everywhere, asked in its own protocol."""

import pytest

from tests.conftest import TOPOLOGY
from tests.nodes import ports

CASES = [
    pytest.param(source, target, port, id=f"{source.name}-to-{target.name}-{port}")
    for source in ports.sources(TOPOLOGY)
    for target in ports.targets(TOPOLOGY)
    for port in ports.ports_from(TOPOLOGY, source)
]


@pytest.mark.parametrize(("source", "target", "port"), CASES)
def test_a_port_answers_those_whom_a_row_lets_in_and_nobody_else(source, target, port, verdicts):
    verdict, why = ports.expected(TOPOLOGY, source, target, port)
    found = verdicts[source.name, target.name, port]
    assert found == verdict, (
        f"{source.name} -> {target.name} ({target.address}):{port} is {found},"
        f" should be {verdict}: {why}"
    )
