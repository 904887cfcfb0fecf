"""Writes the drawings and the commands of the lab's modes; needs lab.yml alone, no lab."""

from __future__ import annotations

from pathlib import Path

from lab.config.paths import FOLDER
from lab.config.topology import Topology
from lab.drawings import diagram
from lab.drawings.commands import commands, filled
from lab.drawings.svg import svg
from lab.engine.progress import say

# Below the project.
DRAWINGS_FOLDER = "docs/modes"
PAGE = FOLDER / "docs" / "modes.md"


def draw(topology: Topology, folder: Path) -> int:
    """Writes each drawing that is not there as it should be. Returns how many those were."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = 0
    for name, drawing in diagram.drawings(topology):
        if isinstance(drawing, str):
            say(name, f"not drawn: {drawing}")
        elif _write(folder / f"{name}.svg", svg(drawing)):
            say(name, "drawn")
            changed += 1
    return changed


def show_commands(topology: Topology, page: Path) -> bool:
    """Brings the page's commands of each mode to what they are. Returns whether it had to."""
    return _write(page, filled(page.read_text(), dict(commands(topology))))


def _write(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True
