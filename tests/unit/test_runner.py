"""`python -m tests`: an interrupted step has the time to put back what it changed."""

import signal
import subprocess
import sys

from lab.config.paths import FOLDER

RUNNER = "import sys\nfrom tests.__main__ import here\nhere(tuple(sys.argv[1:]))"
STEP = """
import signal, sys, time

def put_back(*_):
    time.sleep(1)
    print("put back", flush=True)
    sys.exit()

signal.signal(signal.SIGINT, put_back)
print("changed", flush=True)
time.sleep(60)
"""


def test_an_interrupted_step_ends_by_itself():
    command = (sys.executable, "-c", RUNNER, sys.executable, "-c", STEP)
    with subprocess.Popen(
        command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout.readline() == "changed\n"
        runner.send_signal(signal.SIGINT)
        said, errors = runner.communicate(timeout=30)
    assert said == "put back\n"
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
