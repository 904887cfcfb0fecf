"""Releases: named, dated maps from images to tags. Their history lies on the builder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from lab.containers import File

FOLDER = "/var/lib/lab/releases"
CURRENT = f"{FOLDER}/current"


@dataclass(frozen=True, slots=True)
class Release:
    """tags: image name to tag; time: ISO 8601, UTC, to the second."""

    name: str
    time: str
    tags: dict[str, str]

    def files(self, *, current: bool) -> tuple[File, ...]:
        """What makes this release part of the history, and perhaps the current one."""
        record = json.dumps(asdict(self), indent=2) + "\n"
        history = File(f"{FOLDER}/{self.name}.json", record)
        return (history, File(CURRENT, record)) if current else (history,)


def parse(record: str) -> Release:
    return Release(**json.loads(record))


def next_release(current: Release | None, tags: dict[str, str], now: datetime) -> Release:
    """The current release if it names these very tags, else a new one.

    A name says when and what: 20261124-0815-3f9c2a is readable, sortable and unique.
    """
    if current and current.tags == tags:
        return current
    digest = hashlib.sha256(json.dumps(tags, sort_keys=True).encode()).hexdigest()[:6]
    return Release(f"{now:%Y%m%d-%H%M}-{digest}", now.isoformat(timespec="seconds"), tags)
