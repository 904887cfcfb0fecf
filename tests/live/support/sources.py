"""An edited copy of this project that deploys to the same lab, and how its tasks are run."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.config.paths import FOLDER

NOT_COPIED = (
    ".git",
    "backups",
    ".lab",
    ".offline",
    ".vagrant",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    "lab.box",
    "lab.vmdk",
)


@dataclass
class Run:
    """One task as a user runs it. lines: (time.monotonic(), line) as they came."""

    process: subprocess.Popen
    lines: list[tuple[float, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def output(self):
        return "\n".join(line for _, line in self.lines)

    def when(self, *words):
        """When the first line with all of these words came."""
        return next(at for at, line in self.lines if all(word in line for word in words))

    def until(self, *words):
        """Returns once there is a line with all of these words, or the task has ended."""
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip()))
            if words and all(word in line for word in words):
                return

    def wait(self):
        self.until()
        return self.process.wait()


@dataclass
class Copy:
    """A folder with the sources, and the lab of the one that is tested."""

    folder: Path

    @classmethod
    def make(cls, folder):
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for name in (".lab", ".vagrant", ".venv"):
            (folder / name).symlink_to(FOLDER / name)
        return cls(folder)

    def edit(self, path, old, new):
        """Replaces a text; an empty old one stands for the end of the file."""
        file = self.folder / path
        text = file.read_text() if file.exists() else ""
        assert old in text, f"{path} has no {old!r}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(old, new, 1) if old else text + new)

    def restore(self, path):
        source = FOLDER / path
        if source.exists():
            shutil.copy2(source, self.folder / path)
        else:
            (self.folder / path).unlink()

    def start(self, *arguments):
        process = subprocess.Popen(
            # Tests that run in the background ignore Ctrl-C, and so would the task.
            ("env", "--default-signal=INT", FOLDER / ".venv" / "bin" / "fab", *arguments),
            cwd=self.folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return Run(process)

    def fab(self, *arguments):
        """A task that ended: (status, Run)."""
        run = self.start(*arguments)
        return run.wait(), run
