"""Which static files of which sets are in the volume that nginx serves."""

import importlib.util
import json
import os

import pytest

from lab.config.paths import FOLDER

PATH = FOLDER / "images" / "webapp_static" / "publish.py"


@pytest.fixture
def static(tmp_path):
    spec = importlib.util.spec_from_file_location("publish", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Volume:
        target, lists, manifests = (
            tmp_path / name for name in ("static_root", "sets", "manifests")
        )
        published = 0

        def publish(self, name, *serving, **files):
            """name: of the set; files: name to text."""
            self.published += 1
            source = tmp_path / f"image-{self.published}"
            source.mkdir()
            for file, text in files.items():
                (source / file).write_text(text)
            manifest = {"paths": {file.split("_")[0]: file for file in files}, "of": name}
            (source / "staticfiles.json").write_text(json.dumps(manifest))
            lacking = module.main(name, *serving, source=source, shared=tmp_path)
            # Two sets published within one tick of the clock still have an order.
            for path in self.lists.glob("[!.]*"):
                before = path.stat().st_mtime_ns - 10**9
                os.utime(path, ns=(before, before))
            return lacking

        @property
        def files(self):
            return {path.name: path.read_text() for path in self.target.iterdir()}

        @property
        def manifests_of(self):
            found = {path.stem: path.read_text() for path in self.manifests.iterdir()}
            return {name: json.loads(text)["of"] for name, text in found.items()}

    return Volume()


def test_old_and_new_files_stand_side_by_side(static):
    static.publish("first", site_1="old")
    static.publish("second", "first", site_2="new")
    assert static.files == {"site_1": "old", "site_2": "new"}
    assert static.manifests_of == {"first": "first", "second": "second"}


def test_files_go_five_sets_later(static):
    for number in range(1, 7):
        static.publish(f"set-{number}", f"set-{number - 1}", **{f"site_{number}": "", "same": ""})
    assert sorted(static.files) == ["same", "site_2", "site_3", "site_4", "site_5", "site_6"]
    assert sorted(static.manifests_of) == ["set-2", "set-3", "set-4", "set-5", "set-6"]


def test_a_set_that_is_published_again_is_the_newest(static):
    for number in (1, 2, 3, 4, 5, 1, 6):
        static.publish(f"set-{number}", **{f"site_{number}": ""})
    assert sorted(static.files) == ["site_1", "site_3", "site_4", "site_5", "site_6"]


def test_what_a_killed_publisher_left_half_done_goes(static):
    static.publish("first", site="1")
    (static.target / ".site.77").write_text("half")
    static.publish("first", site="1")
    assert static.files == {"site": "1"}


def test_the_set_that_serves_stays_however_many_never_do(static):
    static.publish("live", site="")
    for number in range(7):
        static.publish(f"failed-{number}", "live", **{f"failed_{number}": ""})
    assert "site" in static.files
    assert static.manifests_of["live"] == "live"
    static.publish("next", "live", next="")
    for number in range(1, 5):
        static.publish(f"later-{number}", "next", **{f"later_{number}": ""})
        # As what was served until `next` came, it stays longer than what never was.
        assert ("site" in static.files) == (number < 4), number
    assert "live" not in static.manifests_of


def test_what_pages_may_name_and_a_set_has_not_is_told(static):
    assert static.publish("first", site_1="", icon_1="") == []
    assert static.publish("same", "first", site_2="", icon_1="") == []
    assert static.publish("more", "first", site_2="", icon_1="", font_1="") == []
    assert static.publish("less", "first", font_1="") == ["icon", "site"]
    assert static.publish("unknown", "gone", font_1="") == []
    assert static.publish("another", "same", "more", icon_1="") == ["font", "site"]
