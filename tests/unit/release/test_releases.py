"""Releases and the digests that image tags are."""

import shutil
from datetime import UTC, datetime

import pytest

from lab.config.paths import FOLDER
from lab.config.topology import TopologyError, WebService
from lab.errors import LabError
from lab.release import images, releases
from lab.release.images import IMAGES, Image
from lab.release.releases import JournalEntry, Release
from tests.unit.delivered import LAB as TOPOLOGY

NOW = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)
IMAGE = Image("web", ("images/web", "app"), without=("app/tests",))


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


# An edited source, and the images whose tags it changes.
EDITS = {
    "django_app/static/site.css": {"webapp_static"},
    "django_app/posts/views.py": {"webapp_allinone", "webapp_django"},
    "django_app/templates/base.html": {"webapp_allinone", "webapp_django"},
    "images/webapp_nginx/nginx.conf": {"webapp_allinone", "webapp_nginx"},
    "django_app/requirements.txt": {"webapp_allinone", "webapp_django", "webapp_static"},
}


@pytest.mark.parametrize(("path", "changed"), EDITS.items())
def test_an_edit_changes_the_tags_of_what_it_goes_into(tmp_path, path, changed):
    for name in ("django_app", "images", "provision"):
        shutil.copytree(FOLDER / name, tmp_path / name)
    before = images.tags(tmp_path)
    with (tmp_path / path).open("a") as edited:
        edited.write("\n")
    after = images.tags(tmp_path)
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_run_bit_changes_the_tag(sources):
    before = images.tag(IMAGE, sources)
    (sources / "app/views.py").chmod(0o755)
    assert images.tag(IMAGE, sources) != before


def release(current, tags, topology=TOPOLOGY, now=NOW):
    return releases.next_release([current] if current else [], tags, topology, now, "abc1234")


def test_the_same_tags_and_wiring_are_the_same_release():
    first = release(None, {"web": "a", "nginx": "b"})
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert release(first, {"nginx": "b", "web": "a"}, now=later) is first


def test_other_tags_are_a_new_dated_release():
    first = release(None, {"web": "a"})
    second = release(first, {"web": "b"})
    assert first.name.startswith("20261124-0815-")
    assert second.name != first.name
    assert second.time == "2026-11-24T08:15:30+00:00"


@pytest.mark.parametrize(
    "changed",
    [
        TOPOLOGY.with_mode("ubuntu2", "unix-socket"),
        TOPOLOGY.with_web(
            TOPOLOGY.web,
            {"nginx": TOPOLOGY.limits.nginx.model_copy(update={"pids": 33})},
        ),
    ],
    ids=["another mode", "another limit"],
)
def test_another_wiring_is_a_new_release_that_brings_it_back(changed):
    first = release(None, {"web": "a"})
    second = release(first, {"web": "a"}, changed)
    assert second.name != first.name
    for one, topology in ((first, TOPOLOGY), (second, changed)):
        assert changed.with_web(one.web, one.limits) == topology


def test_a_wiring_of_a_node_that_is_gone_is_refused():
    web = (WebService(mode="custom-bridge", django="ubuntu9", nginx="ubuntu9"),)
    with pytest.raises(TopologyError, match="lab.yml: nodes: ubuntu9: missing"):
        TOPOLOGY.with_web(web, {})


def test_a_release_survives_being_written_and_read():
    written = release(None, {"web": "a"})
    for file in written.files(current=True):
        assert releases.parse(file.content) == written


def test_a_release_of_an_older_lab_says_what_it_lacks():
    older = {name: "a" for name in IMAGES if name != "webapp_static"}
    assert release(None, older).lacking == ("webapp_static",)
    assert release(None, dict.fromkeys(IMAGES, "a")).lacking == ()


def test_a_release_of_one_node_is_part_of_the_history_alone():
    written = release(None, {"web": "a"})
    paths = [file.path for file in written.files(current=False)]
    assert paths == [f"/var/lib/lab/releases/{written.name}.json"]


def live(*names):
    return [
        JournalEntry(time="2026-11-24T09:00:00+00:00", release=n, outcome="live") for n in names
    ]


FAILED = JournalEntry(
    time="2026-11-24T10:00:00+00:00",
    release="bad",
    outcome="failed",
    detail="ubuntu1: answered 500",
)


@pytest.mark.parametrize(
    ("journal", "current", "previous"),
    [
        (live("a", "b"), "b", "a"),
        ([*live("a", "b"), FAILED], "b", "a"),
        (live("a", "b", "a"), "a", "b"),
        # Killed between becoming the current one and being noted as live.
        (live("a", "b"), "c", "b"),
    ],
)
def test_the_previous_release_is_the_one_that_was_live_before(journal, current, previous):
    assert releases.previous(journal, current) == previous


def test_a_lab_with_one_release_has_nothing_to_go_back_to():
    with pytest.raises(LabError, match="no other release was ever live"):
        releases.previous([*live("a"), FAILED], "a")


def test_the_table_says_what_became_of_each_release():
    made = [
        Release(name=name, time=f"2026-11-24T0{hour}:00:00+00:00", tags={}, commit=commit)
        for hour, name, commit in (
            (6, "a", "1234567"),
            (7, "bad", ""),
            (8, "b", "89abcde+"),
            (9, "c", ""),
        )
    ]
    lines = releases.table(made, [*live("a", "b"), FAILED], "b").splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "release made (UTC) commit state",
        "c 2026-11-24 09:00:00 - never finished: `fab deploy` again",
        "b 2026-11-24 08:00:00 89abcde+ live",
        "bad 2026-11-24 07:00:00 - failed: ubuntu1: answered 500",
        "a 2026-11-24 06:00:00 1234567 was live from 2026-11-24 09:00:00",
    ]


def test_a_journal_survives_being_written_and_read():
    events = (*live("a"), FAILED)
    assert releases.parse_journal("".join(e.model_dump_json() + "\n" for e in events)) == events


def test_a_line_that_was_cut_off_is_no_event():
    whole = FAILED.model_dump_json()
    assert releases.parse_journal(f"{whole}\n{whole[:30]}") == (FAILED,)


def test_a_damaged_record_is_said_to_be_so():
    with pytest.raises(LabError, match="damaged record: '{'"):
        releases.parse("{")
