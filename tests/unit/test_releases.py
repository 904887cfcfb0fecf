"""Releases and the digests that image tags are."""

from datetime import UTC, datetime

import pytest

from lab import images, releases
from lab.images import Image

NOW = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)
IMAGE = Image("web", "trixie", ("images/web", "app"), without=("app/tests",))


@pytest.fixture
def sources(tmp_path):
    for path, text in {
        images.BASE_SCRIPT: "mmdebstrap",
        "images/web/Dockerfile": "FROM debian",
        "app/views.py": "pass",
        "app/tests/test_views.py": "pass",
        "other/file": "x",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("app/views.py", True),
        ("images/web/Dockerfile", True),
        ("provision/node/files/lab-base-image", True),
        ("app/new.css", True),
        ("app/tests/test_views.py", False),
        ("app/__pycache__/views.pyc", False),
        ("other/file", False),
    ],
)
def test_a_tag_changes_with_what_goes_into_the_image_and_nothing_else(sources, path, changes):
    before = images.tag(IMAGE, sources)
    (sources / path).parent.mkdir(parents=True, exist_ok=True)
    (sources / path).write_text("edited")
    assert (images.tag(IMAGE, sources) != before) == changes


def test_a_run_bit_changes_the_tag(sources):
    before = images.tag(IMAGE, sources)
    (sources / "app/views.py").chmod(0o755)
    assert images.tag(IMAGE, sources) != before


def test_the_same_tags_are_the_same_release():
    first = releases.next_release(None, {"web": "a"}, NOW)
    assert releases.next_release(first, {"web": "a"}, datetime(2027, 1, 1, tzinfo=UTC)) is first


def test_other_tags_are_a_new_dated_release():
    first = releases.next_release(None, {"web": "a"}, NOW)
    second = releases.next_release(first, {"web": "b"}, NOW)
    assert first.name.startswith("20261124-0815-")
    assert second.name != first.name
    assert second.time == "2026-11-24T08:15:30+00:00"


def test_a_release_survives_being_written_and_read():
    release = releases.next_release(None, {"web": "a"}, NOW)
    for file in release.files(current=True):
        assert releases.parse(file.content) == release


def test_a_release_of_one_node_is_part_of_the_history_alone():
    release = releases.next_release(None, {"web": "a"}, NOW)
    paths = [file.path for file in release.files(current=False)]
    assert paths == [f"/var/lib/lab/releases/{release.name}.json"]
