"""Runs shellcheck on every shell script of this folder: `python -m tests.shell`."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.config.paths import FOLDER
from lab.release.images import left_out

SHEBANG = re.compile(rb"#! ?(/usr)?/bin/(env (-S )?)?(ba)?sh\b")
# Left out by their names otherwise; there are tools of the project's own in them.
HIDDEN = (".ci",)
# What git ignores (.gitignore) and no pattern of names leaves out.
NOT_OURS = ("backups",)
# Each byte of these is in the tags of images: a comment for shellcheck would replace containers.
AS_THEY_ARE = {
    # mmdebstrap's hooks have a $1 of their own.
    "provision/node/files/lab-base-image": "SC2016",
}


def scripts(folder: Path) -> Iterator[str]:
    """Paths below the folder, of whatever begins as a shell's script."""
    for path in sorted(folder.iterdir()):
        if path.name in HIDDEN or not (left_out(Path(path.name)) or path.name in NOT_OURS):
            yield from (str(found.relative_to(folder)) for found in _below(path))


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        return
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            if not left_out(Path(inner.name)):
                yield from _below(inner)
    elif _is_script(path):
        yield path


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return SHEBANG.match(file.readline(80)) is not None


def main() -> int:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if not shellcheck.exists():
        print("tests: shellcheck: not found: run `provision/host.sh environment`")
        return 1
    # Whatever the user's own shellcheck is told.
    command = (shellcheck, "--norc", "--format=gcc")
    found = set(scripts(FOLDER))
    runs = [(*command, *sorted(found - AS_THEY_ARE.keys()))]
    runs += [(*command, f"--exclude={code}", path) for path, code in AS_THEY_ARE.items()]
    return max(subprocess.run(run, cwd=FOLDER, check=False).returncode for run in runs)


if __name__ == "__main__":
    sys.exit(main())
