"""What `fab doctor` asks, and what it makes of the answers.

Pure: questions.py says which commands a node is asked, facts.py holds the answers, and each other
module judges one part of the lab.
"""

from lab.doctor.checks import balancers, containers, data, links, machine, nodes, registry, web
from lab.doctor.checks.facts import Facts
from lab.doctor.diagnosis import Check


def checks(facts: Facts) -> tuple[Check, ...]:
    """Every check of the lab, from the browser's side inwards."""
    every = (
        *balancers.checks(facts),
        *web.checks(facts),
        *data.mysql(facts),
        *data.cassandra(facts),
        *links.checks(facts),
        *registry.checks(facts),
        *(
            check
            for node in facts.topology.names
            for part in (nodes, containers)
            for check in part.checks(facts, node)
        ),
    )
    return machine.excuse(facts, every)
