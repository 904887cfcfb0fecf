"""The images: what goes into each, the digest that is its tag, and how it is built.

Pure but for reading the sources. They are built and pushed on the builder (lab/deploy/building.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from lab.config.paths import FOLDER

# Its path and content are part of every tag: were it moved beside the node's other programs, every
# container of a running lab would be replaced.
BASE_SCRIPT = "provision/node/files/lab-base-image"
# Debian's, of which the base of all images is.
SUITE = "trixie"
BASE = f"debian:{SUITE}-slim"
# Patterns of names: what begins with a dot, and what else editors, systems and tools leave beside
# sources. provision/node-digest reads the file, too, and each Dockerfile.dockerignore that lets
# folders in ends with them.
LEFT_OUT = tuple((FOLDER / "provision/left-out").read_text().splitlines())
SENT = ("images", "django_app")


@dataclass(frozen=True, slots=True)
class Image:
    """sources: folders and files that go into it; without: those that don't; target: stage of its
    Dockerfile; dockerfile: folder of that below images/."""

    name: str
    sources: tuple[str, ...]
    without: tuple[str, ...] = ()
    target: str = ""
    dockerfile: str = ""

    @property
    def dockerfile_path(self) -> str:
        return f"images/{self.dockerfile or self.name}/Dockerfile"


DJANGO = ("images/webapp_django", "django_app")
NGINX = ("images/webapp_nginx",)
# Of no running container: a changed style sheet replaces none.
APART = ("django_app/static",)
TESTS = ("django_app/tests",)

IMAGES = {
    image.name: image
    for image in (
        Image("registry", ("images/registry",)),
        Image("haproxy", ("images/haproxy",)),
        Image("mysql", ("images/mysql",)),
        Image("cassandra", ("images/cassandra",)),
        Image("webapp_django", DJANGO, without=(*APART, *TESTS)),
        Image("webapp_nginx", NGINX),
        Image(
            "webapp_allinone",
            (*DJANGO, *NGINX, "images/webapp_allinone"),
            without=(*APART, *TESTS),
            target="allinone",
            dockerfile="webapp_django",
        ),
        Image(
            "webapp_static",
            (
                "images/webapp_django/Dockerfile",
                "images/webapp_django/Dockerfile.dockerignore",
                "images/webapp_static",
                "django_app/manage.py",
                "django_app/posts/__init__.py",
                "django_app/project/__init__.py",
                "django_app/project/settings_static.py",
                "django_app/requirements-build.txt",
                "django_app/requirements.txt",
                "django_app/static",
            ),
            target="static",
            dockerfile="webapp_django",
        ),
    )
}
# Those of which a deploy brings newer ones.
WEB_IMAGES = ("webapp_django", "webapp_nginx", "webapp_allinone", "webapp_static")

# Never part of a release: the application with its own tests, for `make test`.
TEST_IMAGE = Image(
    "webapp_django_test",
    DJANGO,
    without=APART,
    target="test",
    dockerfile="webapp_django",
)


def tag(image: Image, folder: Path = FOLDER) -> str:
    """The digest of everything that goes into an image, uncommitted edits included."""
    digest = hashlib.sha256(f"{SUITE} {image.target}\n".encode())
    for path in _inputs(image, folder):
        # A file's name need not be UTF-8.
        name = os.fsencode(path.relative_to(folder))
        kind = "link" if path.is_symlink() else _mode(path) & 0o111
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        digest.update(name + f" {kind}\0".encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:12]


def _inputs(image: Image, folder: Path) -> Iterator[Path]:
    excluded = tuple(folder / path for path in image.without)
    yield folder / BASE_SCRIPT
    for source in image.sources:
        for path in _files(folder, source):
            if not any(map(path.is_relative_to, excluded)):
                yield path


def _files(folder: Path, source: str) -> Iterator[Path]:
    """A file, or what an image may need of a folder: as git has it, without empty folders."""
    for path in (folder / source, *sorted((folder / source).rglob("*"))):
        if (path.is_symlink() or path.is_file()) and not left_out(path.relative_to(folder)):
            yield path


def left_out(path: PurePath) -> bool:
    """Whether no image needs a path below the project's folder."""
    return any(fnmatchcase(part, pattern) for part in path.parts for pattern in LEFT_OUT)


def _mode(path: Path) -> int:
    """Git knows the owner's executable bit and no other; the rest is as the umask was."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def copy(folder: Path, target: Path) -> None:
    """Copies what images may need of the sources, with the modes of a fresh clone of umask 022."""
    for source in SENT:
        for path in _files(folder, source):
            copied = target / path.relative_to(folder)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copied, follow_symlinks=False)
            if not path.is_symlink():
                copied.chmod(_mode(path))
    for made in (path for path in target.rglob("*") if path.is_dir() and not path.is_symlink()):
        made.chmod(0o755)


def tags(folder: Path = FOLDER) -> dict[str, str]:
    """Image name to tag, of the sources as they are now."""
    return {name: tag(image, folder) for name, image in IMAGES.items()}


def reference(registry: str, name: str, tag_: str) -> str:
    return f"{registry}/{name}:{tag_}"


def references(registry: str, tags_: dict[str, str]) -> dict[str, str]:
    return {name: reference(registry, name, tag_) for name, tag_ in tags_.items()}
