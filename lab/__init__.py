"""The Python behind the lab's tasks: lab.yml -> Topology -> plan -> difference -> steps -> SSH."""
