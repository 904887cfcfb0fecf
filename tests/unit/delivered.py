"""The lab as it is delivered (tests/unit/lab.yml); the lab.yml in use may have been changed."""

from pathlib import Path

from lab.config import topology

TEXT = (Path(__file__).parent / "lab.yml").read_text()
LAB = topology.load(TEXT, {})
