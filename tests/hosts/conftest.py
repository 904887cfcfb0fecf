"""The hosts, and the table of what was seen of them, with seconds, at the end."""

import time

import pytest

from tests.hosts import plain

# Words to (outcome, seconds), in the order in which the tests ran.
SEEN: dict[str, tuple[str, float]] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    began = time.monotonic()
    ran = yield
    words = item.name.removeprefix("test_").replace("_", " ")
    SEEN[words] = (item.stash.get(OUTCOME, "failed"), time.monotonic() - began)
    return ran


OUTCOME = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.outcome != "passed" or report.when == "call":
        item.stash[OUTCOME] = report.outcome
    return report


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line("\nseconds  what was seen")
    for words, (outcome, seconds) in SEEN.items():
        end = "" if outcome == "passed" else f": {outcome}"
        terminalreporter.write_line(f"{seconds:7.0f}  {words}{end}")


@pytest.fixture(scope="session")
def hosts():
    """Four plain hosts, as they were before the lab: host to what it had."""
    try:
        plain.make()
        yield {host: plain.snapshot(host) for host in plain.HOSTS}
    finally:
        plain.remove()
