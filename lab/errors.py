"""The errors that a user is told in a line, without a traceback."""

from __future__ import annotations

import errno
import json
import os
import pwd
import shlex
import subprocess
from pathlib import Path


class LabError(Exception):
    """What failed, where, and what to do next."""


def outside(error: BaseException) -> str:
    """What to tell of something outside this program that went wrong; empty: it is a mistake of it.

    For what nobody nearer to it had a better word for.
    """
    line = ""
    match error:
        case OSError():
            line = _of_the_system(error)
        case json.JSONDecodeError():
            line = f"{error.doc[:80]!r}: should be JSON: {error}: `fab doctor`"
        case UnicodeError():
            line = f"not the text that was expected: {error}: `fab doctor`"
        case subprocess.CalledProcessError():
            said = " | ".join(str(error.stderr or error.stdout or "").strip().splitlines()[-3:])
            line = f"`{_command(error.cmd)}` ended with {error.returncode}: {said or 'see above'}"
        case subprocess.TimeoutExpired():
            line = f"`{_command(error.cmd)}` did not end within {error.timeout:g} s: run it again"
        case MemoryError():
            line = "this machine has no memory left: end something, and run it again"
    return line


def _of_the_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    where = f"{name}: " if name else ""
    match error.errno:
        case errno.ENOENT if name and "/" not in name:
            return f"{name}: not found: run `provision/host.sh`, which installs it"
        case errno.EACCES | errno.EPERM if name:
            return f"{where}{what}: {_whose(Path(name))}"
        case errno.ENOSPC | errno.EDQUOT:
            return f"{where}{what}: free some (`df`), and run it again"
        case errno.EROFS:
            return f"{where}{what}: mount it so that it can be written to, and run it again"
        case errno.EPIPE:
            return "whoever read what this prints has gone"
    return f"{where}{what}" if name else f"{what}: `fab doctor`"


def _whose(path: Path) -> str:
    for place in (path, *path.absolute().parents):
        try:
            owner = place.lstat().st_uid
        except OSError:
            continue
        if owner == os.geteuid():
            return f"it is yours: `chmod -R u+rwX {place}`"
        return f"it belongs to {user(owner)}: go on as that user"
    return "go on as the user who made the lab"


def user(number: int) -> str:
    """A user's name, or the number of one who has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _command(argv: object) -> str:
    return argv if isinstance(argv, str) else shlex.join(map(str, argv))  # type: ignore[call-overload]
