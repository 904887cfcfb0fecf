"""What a bundle holds and what it fits: its manifest. Pure but for `here`."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.config.paths import FOLDER
from lab.errors import LabError
from lab.release.images import BASE_SCRIPT

# Of the layout of the file and of the manifest: another one is not guessed at.
FORMAT = 1
MANIFEST, MANIFEST_DIGEST = "manifest.json", "manifest.sha256"
BUILDER, WHEELS, BOX, LOCK = "builder.tar.gz", "wheels", "lab.box", "requirements.lock"
# No member leads out of the folder that it is laid in.
MEMBER = re.compile(r"(wheels/)?[A-Za-z0-9][A-Za-z0-9._+-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")

# What decides on a step that takes a network: of the node image, of the tools, and of the images up
# to their last such step (tests/unit/bundle/test_manifest.py). All else may be edited.
SOURCES = (
    "provision/node/Dockerfile",
    "provision/node/init",
    "provision/node/packages",
    BASE_SCRIPT,
    LOCK,
    "images/cassandra/Dockerfile",
    "images/cassandra/pom.xml",
    "images/haproxy/Dockerfile",
    "images/mysql/Dockerfile",
    "images/registry/Dockerfile",
    "images/webapp_django/Dockerfile",
    "images/webapp_nginx/Dockerfile",
    "images/webapp_nginx/install.sh",
    "django_app/requirements-build.txt",
    "django_app/requirements.txt",
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a bundle was made on and has to be brought to: architecture as `uname -m` has it,
    python MAJOR.MINOR, sources: path to SHA-256."""

    architecture: str
    python: str
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """made: ISO 8601, UTC; unpacked: bytes that the builder's cache takes; members: by name."""

    made: str
    place: Place
    unpacked: int
    members: dict[str, Stored]


def here(folder: Path = FOLDER) -> Place:
    """This machine, and these sources."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SOURCES}
    python = ".".join(map(str, sys.version_info[:2]))
    return Place(platform.machine(), python, digests)


def text(manifest: Manifest) -> str:
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1) + "\n"


def parse(given: bytes) -> Manifest:
    """Raises LabError with what is wrong if it is no manifest of this format."""
    try:
        document = json.loads(given)
        version = document["format"]
    except (ValueError, TypeError, KeyError):
        raise LabError(f"{MANIFEST} is damaged") from None
    if version != FORMAT:
        raise LabError(f"its format is {version!r}, and this project reads {FORMAT}")
    try:
        place = document["place"]
        found = Manifest(
            document["made"],
            Place(place["architecture"], place["python"], dict(place["sources"])),
            document["unpacked"],
            {name: Stored(**stored) for name, stored in document["members"].items()},
        )
        fits = _texts(found.made, found.place.architecture, found.place.python)
        fits = fits and _texts(*found.place.sources.values()) and type(found.unpacked) is int
    except (TypeError, KeyError, ValueError, AttributeError):
        fits = False
    if not fits:
        raise LabError(f"{MANIFEST} is damaged")
    for name, stored in found.members.items():
        if not (MEMBER.fullmatch(name) and _is_stored(stored)):
            raise LabError(f"{MANIFEST} is damaged at {name!r}")
    return found


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_stored(stored: Stored) -> bool:
    return (
        type(stored.bytes) is int
        and stored.bytes >= 0
        and isinstance(stored.sha256, str)
        and SHA256.fullmatch(stored.sha256) is not None
    )


def refusal(made: Place, place: Place) -> str:
    """Why what was made for one place does not fit another; empty if it does."""
    if made.architecture != place.architecture:
        return f"it is for {made.architecture}, and this machine is {place.architecture}"
    if made.python != place.python:
        return f"its tools are for Python {made.python}, and python3 here is {place.python}"
    differing = _differing(made.sources, place.sources)
    if differing:
        return (
            f"it is of another version of the lab ({', '.join(differing)}):"
            " take it to a clone of the version that it was made of, or make one of this version"
        )
    return ""


def _differing(made: dict[str, str], present: dict[str, str]) -> list[str]:
    names: Iterable[str] = made.keys() | present.keys()
    return sorted(name for name in names if made.get(name) != present.get(name))
