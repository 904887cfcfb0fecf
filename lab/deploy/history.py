"""What became of releases: a journal on the builder, and which images the nodes keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from lab.config.topology import WebService
from lab.context import Lab
from lab.databases import owners
from lab.engine.difference import forgettable
from lab.engine.progress import say, together
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.release import releases
from lab.release.images import WEB_IMAGES
from lab.release.releases import JournalEntry, Outcome, Release

# Releases whose images a node keeps, the live one among them.
IMAGES_KEPT = 3


def record(lab: Lab, release: Release, outcome: Outcome, detail: str = "") -> None:
    """Writes the release into the history on the builder, and what became of it."""
    lab.builder.put(release.files(current=outcome == "live"))
    lives = [entry.release for entry in journal(lab) if entry.outcome == "live"]
    if outcome == "live" and lives[-1:] == [release.name]:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = JournalEntry(time=now, release=release.name, outcome=outcome, detail=detail)
    line = entry.model_dump_json() + "\n"
    lab.builder.feed(line, "tee", "--append", releases.JOURNAL)


def conclude(
    lab: Lab, release: Release, services: tuple[WebService, ...], left: tuple[WebService, ...]
) -> None:
    """Notes what became of a release that these web services run now.

    left: those that do not. On all of them it is the current release from now on.
    """
    if set(services) == set(lab.topology.web):
        record(lab, release, "live")
        owners.take_over(lab, release)
        return
    record(lab, release, "one node", ", ".join(service.nginx for service in services))
    if left:
        nodes = dict.fromkeys(node for one in left for node in (one.django, one.nginx))
        way = f"`fab -H {next(iter(nodes))} deploy`, or `fab deploy` for all"
        say("lab", f"{release.name} is not on {', '.join(nodes)} yet: {way}")


def begun(lab: Lab) -> Release | None:
    """The release that was last brought to some nodes, if nothing else was tried since."""
    last = journal(lab)[-1:]
    with suppress(LabError):
        return recorded(lab, last[0].release) if last and last[0].outcome == "one node" else None
    return None


def history(lab: Lab) -> str:
    """The releases as a table."""
    current = lab.current_release()
    _, names, _ = lab.builder.attempt("ls", releases.RELEASES_FOLDER)
    known = [recorded(lab, n.removesuffix(".json")) for n in names.split() if n.endswith(".json")]
    return releases.table(known, journal(lab), current.name if current else "")


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
