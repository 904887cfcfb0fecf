"""Runs the project's tests: `python -m tests` (make test), `--check` (no lab), `--all`, `--vm`,
`--hosts`.

One pytest run per part, so that what needs no lab fails first and each part says its own result;
at the end, how long each part took. Some begin at once, and are told of when it is their turn: the
lab boots while what needs none is tested, and is interrupted if that fails.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from tests.vm.place import RUN

FOLDER = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest", "--quiet")

MYPY = (PYTHON, "-m", "mypy")
SHELLCHECK = (PYTHON, "-m", "tests.shell")
UP = (str(Path(PYTHON).parent / "fab"), "up")
AHEAD = (MYPY, SHELLCHECK, UP)

CHECKS = (
    (PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."),
    (PYTHON, "-m", "ruff", "check", "--quiet", "."),
    (*PYTEST, "--numprocesses=auto", "tests/unit"),
    MYPY,
    SHELLCHECK,
)
# Tests that wait more than they compute: a file's one after another, of several files at once.
BESIDE = ("--numprocesses=3", "--dist=loadfile")
LAB = (
    UP,
    (*PYTEST, *BESIDE, "-m", "beside and not long", "tests/live", "tests/browser"),
    (*PYTEST, "-m", "not beside and not long", "tests/live"),
)
ALL = (
    UP,
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
HOSTS = ((PYTHON, "-m", "pytest", "--quiet", "--exitfirst", "tests/hosts"),)


@contextmanager
def ahead(command: tuple[str, ...]) -> Iterator[Callable[[], int]]:
    """A step that begins before its turn, and is interrupted if it has none; yields what waits for
    its end, telling all that it says, and returns its exit status."""
    with TemporaryFile() as said:
        process = subprocess.Popen(
            # Where Ctrl-C is ignored, as in the background, it has to end nevertheless.
            ("env", "--default-signal=INT", *command),
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

        def end() -> int:
            told = 0
            while True:
                status = process.poll()
                while part := os.pread(said.fileno(), 65536, told):
                    told += len(part)
                    sys.stdout.buffer.write(part)
                    sys.stdout.flush()
                if status is not None:
                    return status
                time.sleep(0.2)

        try:
            yield end
        finally:
            if process.poll() is None:
                interrupt(process)


def here(command: tuple[str, ...]) -> int:
    """A step's exit status. Interrupted, it has the time it takes to put back what it changed."""
    with subprocess.Popen(command, cwd=FOLDER, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            interrupt(process)
            raise


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ends a step of a session of its own as Ctrl-C does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    process.wait()


def run(steps: tuple[tuple[str, ...], ...], took: dict[str, float]) -> int:
    """0, or 1 after the first step that fails. took: is given each one's seconds, from its turn."""
    with ExitStack() as begun:
        ends = {step: begun.enter_context(ahead(step)) for step in AHEAD if step in steps}
        for step in steps:
            command = " ".join(part.removeprefix(f"{FOLDER}/") for part in step)
            print("$", command, flush=True)
            began = time.monotonic()
            status = ends[step]() if step in ends else here(step)
            took[command] = time.monotonic() - began
            if status != 0:
                print(f"tests: `{command}` ended with {status}", flush=True)
                return 1
    return 0


def main(arguments: list[str]) -> int:
    steps = {
        (): CHECKS + LAB,
        ("--check",): CHECKS,
        ("--all",): CHECKS + ALL,
        ("--vm",): VM,
        ("--hosts",): HOSTS,
    }[tuple(arguments)]
    took: dict[str, float] = {}
    try:
        return run(steps, took)
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
