"""Which bundle fits which machine and sources, and what of the sources decides on that."""

import json
import re
from dataclasses import replace

import pytest

from lab.bundle.manifest import SOURCES, Manifest, Place, Stored, here, parse, refusal, text
from lab.config.paths import FOLDER
from lab.errors import LabError

PLACE = Place("x86_64", "3.11", {"requirements.lock": "1", "images/mysql/Dockerfile": "2"})
STORED = Stored(4, "a" * 64)
MANIFEST = Manifest("2026-11-30T20:00:00+00:00", PLACE, 7, {"builder.tar.gz": STORED})

# Steps of Dockerfiles that take a network.
NETWORK = re.compile(r"apt-get|\bpip install\b|\bmvn\b|install\.sh")


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (PLACE, ""),
        (
            replace(PLACE, architecture="aarch64"),
            "it is for x86_64, and this machine is aarch64",
        ),
        (
            replace(PLACE, python="3.13"),
            "its tools are for Python 3.11, and python3 here is 3.13",
        ),
        (
            replace(PLACE, sources=PLACE.sources | {"requirements.lock": "3"}),
            "it is of another version of the lab (requirements.lock): take it to a clone of the"
            " version that it was made of, or make one of this version",
        ),
        (
            replace(PLACE, sources={"requirements.lock": "1", "images/redis/Dockerfile": "2"}),
            "it is of another version of the lab (images/mysql/Dockerfile,"
            " images/redis/Dockerfile): take it to a clone of the version that it was made of, or"
            " make one of this version",
        ),
    ],
)
def test_what_does_not_fit_is_named(place, why):
    assert refusal(PLACE, place) == why


def test_a_manifest_is_read_as_it_was_written():
    assert parse(text(MANIFEST).encode()) == MANIFEST


def changed(**values):
    return json.dumps(json.loads(text(MANIFEST)) | values).encode()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (b"", "manifest.json is damaged"),
        (b"[]", "manifest.json is damaged"),
        (b"\xff", "manifest.json is damaged"),
        (changed(format=2), "its format is 2, and this project reads 1"),
        (changed(format="1"), "its format is '1', and this project reads 1"),
        (changed(made=3), "manifest.json is damaged"),
        (changed(unpacked="7"), "manifest.json is damaged"),
        (changed(place={}), "manifest.json is damaged"),
        (changed(members=[]), "manifest.json is damaged"),
        (changed(members={"builder.tar.gz": {"bytes": 4}}), "manifest.json is damaged"),
        *(
            (
                changed(members={name: {"bytes": 4, "sha256": "a" * 64}}),
                f"manifest.json is damaged at {name!r}",
            )
            for name in ("", "..", "../x", "/etc/x", "wheels/../x", "wheels/", "a/b", ".x", "a\nb")
        ),
        *(
            (
                changed(members={"lab.box": {"bytes": size, "sha256": digest}}),
                "manifest.json is damaged at 'lab.box'",
            )
            for size, digest in ((-1, "a" * 64), ("4", "a" * 64), (True, "a" * 64), (4, "a"))
        ),
    ],
)
def test_what_is_no_manifest_is_refused(given, line):
    with pytest.raises(LabError) as refused:
        parse(given)
    assert str(refused.value) == line


def test_this_place_is_told_by_every_source():
    assert list(here().sources) == list(SOURCES)


def deciding(dockerfile):
    """The sources that a Dockerfile brings into a stage until its last step with a network."""
    instructions = re.sub(r"\\\n(#.*\n)*|\n#[^\n]*", " ", dockerfile.read_text())
    for stage in re.split(r"^FROM ", instructions, flags=re.MULTILINE)[1:]:
        lines = stage.splitlines()
        last = max((at for at, line in enumerate(lines) if NETWORK.search(line)), default=-1)
        for line in lines[: last + 1]:
            if line.startswith("COPY ") and "--from" not in line:
                yield from (word for word in line.split()[1:-1] if not word.startswith("--"))
            yield from re.findall(r"type=bind,source=([^,\s]+)", line)


def test_every_source_of_a_step_that_takes_a_network_decides():
    dockerfiles = sorted((FOLDER / "images").glob("*/Dockerfile"))
    found = {source for file in dockerfiles for source in deciding(file)}
    assert found == {
        "django_app/requirements-build.txt",
        "django_app/requirements.txt",
        "images/cassandra/pom.xml",
        "images/webapp_nginx/install.sh",
    }
    found |= {str(file.relative_to(FOLDER)) for file in dockerfiles}
    assert found <= set(SOURCES)
