"""Which static files of which releases are in the volume that nginx serves."""

import importlib.util
import os

import pytest

from lab.topology import FOLDER

PATH = FOLDER / "images" / "webapp_django" / "publish_static.py"


@pytest.fixture
def static(tmp_path):
    spec = importlib.util.spec_from_file_location("publish_static", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Volume:
        target, lists = tmp_path / "static_root", tmp_path / "sets"
        module = None
        published = 0

        def publish(self, serve=True, **files):
            self.published += 1
            source = tmp_path / f"image-{self.published}"
            source.mkdir()
            for name, text in files.items():
                (source / name).write_text(text)
            self.module.main(serve=serve, source=source, target=self.target, lists=self.lists)
            # Two sets published within one tick of the clock still have an order.
            for path in self.lists.glob("[!.]*"):
                before = path.stat().st_mtime_ns - 10**9
                os.utime(path, ns=(before, before))

        @property
        def files(self):
            return {path.name: path.read_text() for path in self.target.iterdir()}

    Volume.module = module
    return Volume()


def test_old_and_new_files_stand_side_by_side(static):
    static.publish(site_1="old", manifest="1")
    static.publish(site_2="new", manifest="2")
    assert static.files == {"site_1": "old", "site_2": "new", "manifest": "2"}


def test_files_go_five_sets_later(static):
    for number in range(1, 7):
        static.publish(**{f"site_{number}": "", "same": ""})
    assert sorted(static.files) == ["same", "site_2", "site_3", "site_4", "site_5", "site_6"]


def test_a_set_that_is_published_again_is_the_newest(static):
    for number in (1, 2, 3, 4, 5, 1, 6):
        static.publish(**{f"site_{number}": ""})
    assert sorted(static.files) == ["site_1", "site_3", "site_4", "site_5", "site_6"]


def test_what_a_killed_publisher_left_half_done_goes(static):
    static.publish(site="1")
    (static.target / ".site.77").write_text("half")
    static.publish(site="1")
    assert static.files == {"site": "1"}


def test_what_is_laid_ahead_removes_nothing_and_goes_if_it_never_serves(static):
    static.publish(live="")
    for number in range(6):
        static.publish(serve=False, **{f"failed_{number}": ""})
    assert "live" in static.files
    static.publish(next="")
    assert sorted(static.files) == ["live", "next"]


def test_what_an_image_without_lists_laid_there_counts_as_a_set(static):
    static.target.mkdir()
    (static.target / "old").write_text("")
    static.publish(new="")
    assert sorted(static.files) == ["new", "old"]
