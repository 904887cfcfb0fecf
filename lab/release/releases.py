"""Releases: named, dated maps from images to tags. Their history lies on the builder.

A release also keeps how the web was wired when it was made, so that it can be gone back to whatever
lab.yml says by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from lab.config.topology import Limit, Record, Topology, WebService
from lab.errors import LabError
from lab.plan.records import File
from lab.release.images import IMAGES

RELEASES_FOLDER = "/var/lib/lab/releases"
CURRENT = f"{RELEASES_FOLDER}/current"
JOURNAL = f"{RELEASES_FOLDER}/journal"

Outcome = Literal["live", "one node", "failed"]


class Release(Record):
    """tags: image name to tag; time: ISO 8601, UTC, to the second; commit: of the sources, with a
    + if they were edited since; web and limits: lab.yml's, of the web services."""

    name: str
    time: str
    tags: dict[str, str]
    commit: str = ""
    web: tuple[WebService, ...] = ()
    limits: dict[str, Limit] = {}

    @property
    def lacking(self) -> tuple[str, ...]:
        """The images that it has no tag of: it was made by an older version of the lab."""
        return tuple(sorted(IMAGES.keys() - self.tags))

    def files(self, *, current: bool) -> tuple[File, ...]:
        """What makes this release part of the history, and perhaps the current one."""
        record = self.model_dump_json(indent=2) + "\n"
        history = File(f"{RELEASES_FOLDER}/{self.name}.json", record)
        return (history, File(CURRENT, record)) if current else (history,)


class JournalEntry(Record):
    """What became of an attempt to bring a release to the web. detail: why, or where."""

    time: str
    release: str
    outcome: Outcome
    detail: str = ""


def parse(record: str) -> Release:
    """Raises LabError if it is no record of a release."""
    try:
        return Release.model_validate_json(record)
    except ValidationError:
        raise LabError(
            f"{RELEASES_FOLDER} on the builder: damaged record: {record[:60]!r}:"
            " remove it, `fab up`"
        ) from None


def understood(record: str) -> Release | None:
    """Like parse; None if an older version of the lab made it, whose images were others."""
    release = parse(record)
    return None if release.lacking else release


def parse_journal(lines: str) -> tuple[JournalEntry, ...]:
    """The entries; a line that a killed task wrote in part is none."""

    def entries() -> Iterator[JournalEntry]:
        for line in lines.splitlines():
            with suppress(ValidationError):
                yield JournalEntry.model_validate_json(line)

    return tuple(entries())


def next_release(
    known: Iterable[Release], tags: dict[str, str], topology: Topology, now: datetime, commit: str
) -> Release:
    """The first of the known releases that is these very tags and this wiring, else a new one.

    A name says when and what: 20261124-0815-3f9c2a is readable, sortable and unique.
    """
    release = Release(
        name="",
        time=now.isoformat(timespec="seconds"),
        tags=dict(sorted(tags.items())),
        commit=commit,
        web=topology.settings.web,
        limits=topology.web_limits,
    )
    for one in known:
        if _content(one) == _content(release):
            return one
    digest = hashlib.sha256(_content(release).encode()).hexdigest()[:6]
    return release.model_copy(update={"name": f"{now:%Y%m%d-%H%M}-{digest}"})


def _content(release: Release) -> str:
    ordered = release.model_copy(update={"tags": dict(sorted(release.tags.items()))})
    return ordered.model_dump_json(exclude={"name", "time", "commit"})


def previous(journal: Iterable[JournalEntry], current: str) -> str:
    """The release that was live before the current one. Raises LabError if none was."""
    names = [entry.release for entry in journal if entry.outcome == "live"]
    before = [name for name in names if name != current]
    if not before:
        raise LabError("rollback: no other release was ever live: see `fab releases`")
    return before[-1]


def table(history: Iterable[Release], journal: Iterable[JournalEntry], current: str) -> str:
    """The releases, newest first: name, time, commit, and what became of each."""
    last = {entry.release: entry for entry in journal}
    lines = [f"{'release':<24} {'made (UTC)':<20} {'commit':<10} state"]
    for release in sorted(history, key=lambda release: release.time, reverse=True):
        state = _state(release, last.get(release.name), current)
        made = release.time.removesuffix("+00:00").replace("T", " ")
        lines.append(f"{release.name:<24} {made:<20} {release.commit or '-':<10} {state}")
    return "\n".join(lines)


def _state(release: Release, entry: JournalEntry | None, current: str) -> str:
    if release.name == current:
        return "live"
    if entry is None:
        return "never finished: `fab deploy` again"
    if entry.outcome == "live":
        return f"was live from {entry.time.removesuffix('+00:00').replace('T', ' ')}"
    return f"{entry.outcome}: {entry.detail}"
