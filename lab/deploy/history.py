"""What became of releases: a journal on the builder, and which images the nodes keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from lab.context import Lab
from lab.deploy.publishing import WEB_IMAGES
from lab.engine.difference import forgettable
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.release import releases
from lab.release.releases import JournalEntry, Outcome, Release

# Releases whose images a node keeps, the live one among them.
IMAGES_KEPT = 3


def record(lab: Lab, release: Release, outcome: Outcome, detail: str = "") -> None:
    """Writes the release into the history on the builder, and what became of it."""
    lab.builder.put(release.files(current=outcome == "live"))
    lives = [event.release for event in journal(lab) if event.outcome == "live"]
    if outcome == "live" and lives[-1:] == [release.name]:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    event = JournalEntry(time=now, release=release.name, outcome=outcome, detail=detail)
    line = event.model_dump_json() + "\n"
    lab.builder.feed(line, "tee", "--append", releases.JOURNAL)


def history(lab: Lab) -> str:
    """The releases as a table."""
    current = lab.current_release()
    names = lab.builder.run("ls", releases.RELEASES_FOLDER).split() if current else []
    found = [recorded(lab, n.removesuffix(".json")) for n in names if n.endswith(".json")]
    return releases.table(found, journal(lab), current.name if current else "")


def forget_images(lab: Lab) -> None:
    """Removes the web images of older releases from the nodes; the registry has them.

    Where that fails it is only said: the release is live.
    """
    names = dict.fromkeys(e.release for e in reversed(journal(lab)) if e.outcome == "live")

    def read(name: str) -> Release | None:
        with suppress(LabError):
            return recorded(lab, name)
        return None

    read_ones = together({name: partial(read, name) for name in list(names)[:IMAGES_KEPT]})
    recent = [release for release in read_ones.values() if release]
    kept = frozenset(image for release in recent for image in lab.site(release).images.values())

    def forget(node: Node) -> None:
        for image in forgettable(node.observe(), frozenset(WEB_IMAGES), kept):
            node.attempt_change("docker", "image", "rm", image)

    try:
        together({name: partial(forget, node) for name, node in lab.nodes.items()})
    except LabError as error:
        say("lab", f"old images stay: {error}")


def journal(lab: Lab) -> tuple[JournalEntry, ...]:
    status, lines, _ = lab.builder.attempt("cat", releases.JOURNAL)
    return releases.parse_journal(lines) if status == 0 else ()


def recorded(lab: Lab, name: str) -> Release:
    status, text, _ = lab.builder.attempt("cat", f"{releases.RELEASES_FOLDER}/{name}.json")
    if status != 0:
        raise LabError(f"{name!r} is no release: see `fab releases`")
    return releases.parse(text)
