"""Files that only their owner may read."""

import os
from pathlib import Path


def write(path: Path, content: str) -> None:
    """Writes a file of mode 0600, whole or not at all; folders that are missing are made 0700."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    partial.replace(path)
