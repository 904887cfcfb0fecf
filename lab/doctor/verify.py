"""Runs the testinfra suite against the lab."""

from __future__ import annotations

import subprocess
import sys

from lab.config.paths import FOLDER
from lab.context import NO_RELEASE, Lab
from lab.doctor.status import status
from lab.engine.waits import work
from lab.errors import LabError


def verify(lab: Lab) -> None:
    """Raises LabError if a test fails; pytest itself says which and why.

    The tests expect what lab.yml says: a node that was given another mode has to be back first.
    """
    observed = status(lab)
    if observed.release is None:
        raise LabError(f"verify: {NO_RELEASE}")
    if changed := [name for name in lab.topology.names if observed.changed_web(name)]:
        raise LabError(
            f"verify: {', '.join(changed)}: not in the mode or release of the last `fab deploy`:"
            " run that first"
        )
    command = (sys.executable, "-m", "pytest", "--quiet", "--no-header", "tests/nodes")
    with work("lab", "tests/nodes"):
        done = subprocess.run(command, cwd=FOLDER, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise LabError(
            "verify: the lab is not as it should be (see above): `fab status`, `fab logs`"
        )
