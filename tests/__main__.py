"""Runs the project's tests: `python -m tests` (make test), `--check` (no lab), `--all`.

One pytest run per part, so that what needs no lab fails first and each part says its own result.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
PYTHON = sys.executable

CHECKS = (
    (PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."),
    (PYTHON, "-m", "ruff", "check", "--quiet", "."),
    (PYTHON, "-m", "mypy"),
    (PYTHON, "-m", "pytest", "--quiet", "tests/unit"),
)
LAB = (
    (str(Path(PYTHON).parent / "fab"), "up"),
    (PYTHON, "-m", "pytest", "--quiet", "-m", "not long", "tests/lab", "tests/browser"),
)
ALL = (
    *LAB[:-1],
    (PYTHON, "-m", "pytest", "--quiet", "--durations=30", "tests/lab", "tests/browser"),
)


def main(arguments: list[str]) -> int:
    steps = {(): CHECKS + LAB, ("--check",): CHECKS, ("--all",): CHECKS + ALL}[tuple(arguments)]
    for step in steps:
        print("$", *(part.removeprefix(f"{FOLDER}/") for part in step), flush=True)
        if subprocess.run(step, cwd=FOLDER, check=False).returncode != 0:
            return 1
    return 0


sys.exit(main(sys.argv[1:]))
