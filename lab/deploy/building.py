"""Builds the images on the builder and pushes them to the registry, where they are missing."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from lab.bundle.builder import seed
from lab.config.paths import FOLDER, REPORTS, SSH_CONFIG
from lab.context import Lab
from lab.engine import memory
from lab.engine.apply import settle
from lab.engine.progress import go_on, say, together
from lab.engine.ssh import PART
from lab.engine.waits import work
from lab.errors import LabError
from lab.plan import plans
from lab.plan.plans import REGISTRY
from lab.release import images
from lab.release.images import Image
from lab.release.releases import Release

BUILDER_SOCKET = "unix:///run/lab-builder.sock"
SOURCE = "/var/lib/lab/source"
# Of the lab's own registry: what lies there was pushed, perhaps to an earlier lab's.
PUSHED = "/var/cache/lab/registry/docker"

_sending = Lock()
_starting = Lock()
# The builders of which it is known what they begin with.
_seeded: set[str] = set()


def start_registry(lab: Lab, release: Release) -> None:
    """Runs the lab's registry. Its own image cannot come from it: the builder hands it over.

    With another registry in lab.yml there is none to run; the builder has to trust that one.
    """
    if lab.topology.settings.registry:
        lab.builder.put(plans.registry_trust(lab.secrets, lab.topology.registry))
        return
    whole = lab.plan(release, lab.topology.builder)
    image = next(iter(whole.only(REGISTRY).images))
    if image not in lab.builder.observe().images:
        tags = {"registry": release.tags["registry"]}
        send_sources(lab, tags)
        build_all(lab, built_lacks(lab, tags))
        lab.builder.run("lab-hand-over", image)
    settle(lab.builder, whole, REGISTRY)


def nothing_pushed(lab: Lab) -> bool:
    """Whether the lab's own registry is empty, as far as can be told while it does not run."""
    if lab.topology.settings.registry:
        return False
    return lab.builder.attempt("test", "-e", PUSHED)[0] != 0


def missing(lab: Lab, tags: dict[str, str]) -> dict[str, str]:
    """The images, name to tag, that the registry lacks."""
    known = _tags_in_registry(lab, tags) if tags else {}
    return {name: tag for name, tag in tags.items() if tag not in known[name]}


def built_lacks(lab: Lab, tags: dict[str, str]) -> dict[str, str]:
    """The images, name to tag, that the builder lacks."""
    if not tags:
        return {}
    built = builder_docker(lab, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    wanted = images.references(lab.topology.registry, tags)
    return {name: tag for name, tag in tags.items() if wanted[name] not in built}


def builder_docker(lab: Lab, *arguments: str) -> str:
    """A command of the builder's own Docker daemon, which is started if it is not running.

    It begins with what a bundle has brought for it, if it has nothing yet.
    """
    with _starting:
        if lab.topology.builder not in _seeded:
            seed(lab.builder)
            _seeded.add(lab.topology.builder)
        lab.builder.run("systemctl", "start", "lab-builder")
    return lab.builder.run("docker", "--host", BUILDER_SOCKET, *arguments)


def _tags_in_registry(lab: Lab, names: Iterable[str]) -> dict[str, list[str]]:
    """Of each image of these names, asked at once; none where the registry does not know it."""
    registry = lab.topology.registry
    trust = f"/etc/docker/certs.d/{registry}/ca.crt"
    authority = ("--cacert", trust) if plans.registry_trust(lab.secrets, registry) else ()
    lists = {name: f"https://{registry}/v2/{name}/tags/list" for name in names}
    said = ("--write-out", r"\n")
    answer = lab.builder.run("curl", "--silent", "--show-error", *said, *authority, *lists.values())
    try:
        found = [json.loads(line) for line in answer.splitlines() if line]
        return {name: one.get("tags") or [] for name, one in zip(lists, found, strict=True)}
    except ValueError:
        raise LabError(f"{registry}: no registry answers there: {answer[:80]!r}") from None


def send_sources(lab: Lab, tags: dict[str, str]) -> None:
    """Brings what images are built from to the builder: only what changed crosses the wire.

    Raises LabError if they are not (or no longer) what the tags were made from.
    """
    with _sending:
        lend_base(lab)
        lab.builder.run("install", "-d", "-o", lab.builder.user, SOURCE)
        send(FOLDER, f"{lab.topology.builder}:{SOURCE}/")
    now = images.tags()
    if edited := [name for name, tag in tags.items() if now[name] != tag]:
        raise LabError(f"{', '.join(edited)}: edited while being sent to the builder: run it again")


def lend_base(lab: Lab) -> None:
    """Brings the builder the base image that this machine made for its nodes, if it has none.

    It makes its own where this machine has none either, or one that is not of the lab's script.
    """
    script = hashlib.sha256((FOLDER / images.BASE_SCRIPT).read_bytes()).hexdigest()
    asked = ("image", "ls", "--quiet", "--filter", f"label=lab.script={script}", images.BASE)
    if shutil.which("docker") is None or not _printed("docker", *asked).strip():
        return
    if builder_docker(lab, *asked).strip():
        return
    with (
        work(lab.topology.builder, f"lend {images.BASE}"),
        subprocess.Popen(("docker", "save", images.BASE), stdout=subprocess.PIPE) as saved,
    ):
        parts = iter(partial(saved.stdout.read, PART), b"") if saved.stdout else ()
        lab.builder.upload(parts, "docker", "--host", BUILDER_SOCKET, "load", "--quiet")


def _printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def send(folder: Path, target: str) -> None:
    """Brings what images may need of a folder's sources to rsync's target, and takes away the rest.

    By a copy: rsync has no word for "readable by all, and executable if its owner may". Compared
    by content, as the tags are: an older file that is put back may have the size of the newer one.
    """
    with TemporaryDirectory() as copied:
        images.copy(folder, Path(copied))
        rsync("--checksum", *(f"{copied}/{name}" for name in images.SENT), target)


def rsync(*arguments: str, prune: bool = True) -> str:
    """rsync over the lab's SSH: what changed, a line each. Raises LabError with what it said.

    prune: what the source does not have goes from the target.
    """
    command = (
        *("rsync", "--archive", "--itemize-changes", "--timeout=60"),
        *(("--delete",) if prune else ()),
        *("--rsh", shlex.join(("ssh", "-F", str(SSH_CONFIG))), *arguments),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"rsync {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def build(lab: Lab, image: Image, tag: str) -> None:
    """Builds one image; BuildKit's report goes to .lab/reports/build-NAME.log."""
    go_on()
    reference = images.reference(lab.topology.registry, image.name, tag)
    say(lab.topology.builder, f"build {image.name}")
    with work(lab.topology.builder, f"build {image.name}"):
        status, output, errors = lab.builder.attempt(
            "lab-build", reference, SOURCE, image.dockerfile_path, image.target
        )
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"build-{image.name}.log"
    report.write_text(output + errors)
    if status != 0:
        builder = next(one for one in lab.topology.nodes if one.name == lab.topology.builder)
        last = "\n".join((output + errors).strip().splitlines()[-12:])
        killed = memory.of_build(builder.name, builder.memory, last)
        raise LabError(
            f"{builder.name}: building {image.name} failed{': ' if killed else ''}{killed};"
            f" see {report}; its end:\n{last}"
        )
    say(lab.topology.builder, f"built {image.name}")


def push(lab: Lab, image: Image, tag: str) -> None:
    go_on()
    reference = images.reference(lab.topology.registry, image.name, tag)
    with work(lab.topology.builder, f"push {image.name}"):
        lab.builder.run("docker", "--host", BUILDER_SOCKET, "push", "--quiet", reference)
    say(lab.topology.builder, f"pushed {image.name}")


def build_every(lab: Lab) -> None:
    """Builds all images of the sources anew, the tests' too: what steps of theirs the builder's
    cache has lost is there again."""
    tags = images.tags()
    send_sources(lab, tags)
    wanted = [(images.IMAGES[name], tag) for name, tag in tags.items()]
    wanted.append((images.TEST_IMAGE, images.tag(images.TEST_IMAGE)))
    together({image.name: partial(build, lab, image, tag) for image, tag in wanted})


def build_all(lab: Lab, tags: dict[str, str]) -> None:
    """Builds several images at the same time."""
    together({name: partial(build, lab, images.IMAGES[name], tag) for name, tag in tags.items()})
