"""The lab's tasks: `fab --list`. Run by .venv/bin/fab."""

import os
import sys
from pathlib import Path

if __name__ != "__main__":
    # Another fab has found this file: with flags, files and variables of its own.
    fab = str(Path(__file__).resolve().parent / "provision" / "fab")
    os.execv(fab, (fab, *sys.argv[1:]))  # noqa: S606 - there is no shell to start it with

try:
    from lab.cli.program import main

    sys.exit(main(sys.argv[1:]))
except ModuleNotFoundError as error:
    sys.exit(f"lab: {error.name} is missing from .venv: run `provision/host.sh environment`")
except KeyboardInterrupt:
    sys.exit(130)
