"""The release that the sources make, and its images on their way to the registry."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

from lab.config.paths import FOLDER
from lab.context import Lab
from lab.deploy.building import (
    build,
    built_lacks,
    missing,
    nothing_pushed,
    push,
    send_sources,
    start_registry,
)
from lab.deploy.history import begun
from lab.engine.progress import interrupt, phase, say
from lab.engine.waits import Work, awaits, work
from lab.release import images, releases
from lab.release.images import IMAGES, WEB_IMAGES
from lab.release.releases import Release


class Publishing:
    """Images on their way to the registry, all at the same time; what is there already is.

    Where nothing was pushed yet, they are built while the registry is, and pushed once it runs.
    """

    def __init__(self, lab: Lab, release: Release, tags: dict[str, str]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=len(IMAGES) + 1)
        empty = nothing_pushed(lab)
        start = partial(start_registry, lab, release)
        registry = self._begin("start the registry", start, lab) if empty else None
        if not empty:
            start()
        absent = tags if empty else missing(lab, tags)
        unbuilt = built_lacks(lab, absent)
        if unbuilt:
            send_sources(lab, unbuilt)

        def publish(name: str) -> None:
            if registry and name == "registry":
                # Which has it built where the node had none to run.
                awaits(registry.result())
            if name in unbuilt and built_lacks(lab, {name: tags[name]}):
                build(lab, IMAGES[name], tags[name])
            if registry:
                awaits(registry.result())
            push(lab, IMAGES[name], tags[name])

        self._futures = {
            name: self._begin(f"publish {name}", partial(publish, name), lab) for name in absent
        }

    def _begin(self, what: str, act: Callable[[], None], lab: Lab) -> Future[Work]:
        def begun() -> Work:
            with work(lab.topology.builder, what) as noted:
                act()
            return noted

        return self._pool.submit(copy_context().run, begun)

    def __enter__(self) -> Publishing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is KeyboardInterrupt:
            interrupt()
            say("lab", "interrupted: ending when what is being built or pushed is done")
        self._pool.shutdown(cancel_futures=True)

    def wait(self, *names: str) -> None:
        """Returns once these images are in the registry. Raises what kept one of them from it."""
        for name in names:
            if name in self._futures:
                awaits(self._futures[name].result())


def source_release(
    lab: Lab, current: Release | None, only: tuple[str, ...] = tuple(IMAGES)
) -> Release:
    """The release that the sources make: new tags for some images, the current ones for others.

    It is the one that some nodes have already, if nothing was edited since.
    """
    tags = images.tags()
    kept = {n: t for n, t in current.tags.items() if n not in only} if current else {}
    known = [one for one in (current, begun(lab)) if one]
    return releases.next_release(
        known, tags | kept, lab.topology, datetime.now(UTC), source_commit()
    )


def source_commit() -> str:
    """The sources' commit, with a + if they were edited since; empty if git can't tell."""
    command = ("git", "describe", "--always", "--dirty=+", "--exclude=*")
    try:
        found = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def prepare(lab: Lab, images_too: tuple[str, ...] = ()) -> Release:
    """The release of the current sources, its images in the registry: those that some plan wants.

    images_too: others that will be wanted.
    """
    release = source_release(lab, lab.require_release(), only=WEB_IMAGES)
    with phase("build and push"):
        tags = lab.wanted_tags(release) | {name: release.tags[name] for name in images_too}
        with Publishing(lab, release, tags) as published:
            published.wait(*WEB_IMAGES)
    return release
