"""A box of one's own for virtual machines, made of Debian's packages (provision/box.sh)."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lab.config.paths import FOLDER
from lab.engine.progress import say
from lab.errors import LabError

BOX, DISK = "lab.box", "lab.vmdk"


def make(*, emulated: bool, disk: bool, folder: Path = FOLDER) -> None:
    """The box, and of it a disk image. Raises LabError, before it begins, where one is there."""
    for name in (BOX, *((DISK,) if disk else ())):
        if os.path.lexists(folder / name):
            raise LabError(f"{folder / name}: is there already: remove it, or rename it")
    # In the same file system: a box is there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".lab-box.", dir=folder) as made:
        say("box", "making it, of Debian's packages: a minute and a half, or several")
        script = str(FOLDER / "provision" / "box.sh")
        command = (script, "qemu" if emulated else "kvm", f"{made}/{BOX}")
        if subprocess.run(command, check=False).returncode != 0:
            raise LabError("the box was not made: see above")
        names = [BOX]
        if disk:
            say("box", f"making the disk {DISK}")
            _make_disk(Path(made))
            names.append(DISK)
        for name in names:
            (Path(made) / name).rename(folder / name)
            size = (folder / name).stat().st_size
            say("box", f"{folder / name}: {size // 10**6} MB")


def _make_disk(made: Path) -> None:
    """Of the box's own image; in the one format that VirtualBox and qemu both write to."""
    with tarfile.open(made / BOX) as box:
        box.extract("./box.img", made, filter="data")
    # Not by an option: a name with a comma would be several.
    converted = ("qemu-img", "convert", "-O", "vmdk", "box.img", DISK)
    subprocess.run(converted, cwd=made, check=True, capture_output=True, text=True)
