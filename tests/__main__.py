"""Runs the project's tests: `python -m tests` (make test), `--check` (no lab), `--all`, `--vm`.

One pytest run per part, so that what needs no lab fails first and each part says its own result;
at the end, how long each part took.
"""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.vm.place import RUN

FOLDER = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest", "--quiet")

CHECKS = (
    (PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."),
    (PYTHON, "-m", "ruff", "check", "--quiet", "."),
    (PYTHON, "-m", "mypy"),
    (PYTHON, "-m", "tests.shell"),
    (*PYTEST, "--numprocesses=auto", "tests/unit"),
)
# Tests that wait more than they compute: a file's one after another, of several files at once.
BESIDE = ("--numprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
LAB = (
    (str(Path(PYTHON).parent / "fab"), "up"),
    (*PYTEST, *BESIDE, "-m", "beside and not long", "tests/live", "tests/browser"),
    (*PYTEST, "-m", "not beside and not long", "tests/live"),
)
ALL = (
    LAB[0],
    (*PYTEST, "--durations=30", "tests/live"),
    (*PYTEST, "tests/browser"),
)
# In this order.
VM_TESTS = tuple(f"tests/vm/test_{name}.py" for name in ("machines", "docker_provider", "destroy"))
VM = (
    (PYTHON, "-m", "pytest", "--quiet", "tests/vm/test_apart.py"),
    (PYTHON, "-m", "tests.vm.prepare"),
    ("tests/vm/apart", str(RUN), *PYTEST, *VM_TESTS),
)


def main(arguments: list[str]) -> int:
    steps = {
        (): CHECKS + LAB,
        ("--check",): CHECKS,
        ("--all",): CHECKS + ALL,
        ("--vm",): VM,
    }[tuple(arguments)]
    took: dict[str, float] = {}
    try:
        for step in steps:
            command = " ".join(part.removeprefix(f"{FOLDER}/") for part in step)
            print("$", command, flush=True)
            began = time.monotonic()
            status = subprocess.run(step, cwd=FOLDER, check=False).returncode
            took[command] = time.monotonic() - began
            if status != 0:
                print(f"tests: `{command}` ended with {status}", flush=True)
                return 1
        return 0
    except FileNotFoundError as error:
        print(f"tests: {error.filename}: not found: run `provision/host.sh environment`")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if steps == VM:
            # What the virtual machines lay on.
            shutil.rmtree(RUN, ignore_errors=True)
        for command, seconds in (took | {"in all": sum(took.values())}).items():
            print(f"{seconds:7.1f} s  {command}", flush=True)


if __name__ == "__main__":
    # As any program whose output nobody reads any more.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
