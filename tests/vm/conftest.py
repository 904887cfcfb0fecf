"""The two machines, and the table of what was seen of them, with seconds, at the end."""

import time

import pytest

from tests.vm import machines
from tests.vm.place import BOX, IMAGES, MACHINES, STATE

# Words to (outcome, seconds, processor seconds, why), in the order in which the tests ran.
SEEN: dict[str, tuple[str, float, float, str]] = {}
# As lab.yml has it.
BOX_NAME = "lab/debian-13"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Notes what a step took, what it was waiting for included."""
    began, before = time.monotonic(), machines.processor_seconds()
    ran = yield
    words = item.name.removeprefix("test_").replace("_", " ")
    outcome, why = item.stash.get(OUTCOME, ("failed", ""))
    used = machines.processor_seconds() - before
    SEEN[words] = (outcome, time.monotonic() - began, used, why)
    return ran


OUTCOME = pytest.StashKey[tuple[str, str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.outcome == "skipped":
        item.stash[OUTCOME] = ("not run", report.longrepr[2].removeprefix("Skipped: "))
    elif report.outcome == "failed":
        item.stash[OUTCOME] = ("failed", str(call.excinfo.value).splitlines()[0][:300])
    elif report.when == "call":
        item.stash[OUTCOME] = ("passed", "")
    return report


def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    write("")
    write("seconds  of a processor  what was seen")
    for words, (outcome, seconds, used, why) in SEEN.items():
        end = "" if outcome == "passed" else f": {outcome}{': ' if why else ''}{why}"
        write(f"{seconds:7.0f} {used:15.0f}  {words}{end}")


@pytest.fixture(scope="session")
def booted():
    """Both machines, booted and provisioned by `vagrant up` in a copy where nothing was run."""
    machines.vagrant("box", "add", "--name", BOX_NAME, "--provider", "libvirt", str(BOX))
    machines.vagrant("up", *MACHINES, processor=6000)
    machines.learn_ssh(*MACHINES)


@pytest.fixture(scope="session")
def give(booted):
    """Brings images that were made outside to a machine's Docker; skips if there are none."""

    def give(node, kind):
        found = sorted(IMAGES.glob(f"{kind}-*.tar"))
        if not found:
            pytest.skip(f"{STATE / 'images'} has no {kind} images: see tests/vm/prepare.py")
        machines.load(node, found[0])

    return give
