"""Pages name the files of the static set that serves, from the moment on at which it does."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from django.test import SimpleTestCase, override_settings

from project.static_sets import StaticSetStorage


class StaticSets(SimpleTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.serving = Path(folder.name, "static_set")
        self.manifests = Path(folder.name, "manifests")
        self.manifests.mkdir()
        places = override_settings(
            LAB_STATIC_SET_FILE=self.serving, LAB_STATIC_MANIFESTS=self.manifests
        )
        places.enable()
        self.addCleanup(places.disable)
        self.storage = StaticSetStorage()

    def lay(self, name: str, **paths: str) -> None:
        """A set of static files: name without its extension -> name with a hash."""
        named = {f"{path}.css": f"{hashed}.css" for path, hashed in paths.items()}
        manifest = {"paths": named, "version": "1.1", "hash": name}
        Path(self.manifests, f"{name}.json").write_text(json.dumps(manifest))

    def serve(self, name: str) -> None:
        self.serving.write_text(name + "\n")

    def test_another_set_serves_without_a_restart(self) -> None:
        self.lay("first", site="site.111111111111")
        self.lay("second", site="site.222222222222")
        self.serve("first")
        self.assertEqual(self.storage.url("site.css"), "/static/site.111111111111.css")
        self.serve("second")
        self.assertEqual(self.storage.url("site.css"), "/static/site.222222222222.css")
        self.serve("first")
        self.assertEqual(self.storage.url("site.css"), "/static/site.111111111111.css")

    def test_a_set_that_is_only_laid_does_not_serve(self) -> None:
        self.lay("first", site="site.111111111111")
        self.serve("first")
        self.storage.url("site.css")
        self.lay("second", site="site.222222222222")
        self.assertEqual(self.storage.url("site.css"), "/static/site.111111111111.css")

    def test_a_file_that_the_set_lacks_has_no_name(self) -> None:
        self.lay("first", other="other.111111111111")
        self.serve("first")
        with self.assertRaisesMessage(ValueError, "site.css"):
            self.storage.url("site.css")

    def test_a_set_without_a_manifest_is_named(self) -> None:
        self.lay("first", site="site.111111111111")
        self.serve("first")
        self.storage.url("site.css")
        self.serve("second")
        with self.assertRaisesMessage(FileNotFoundError, "'second'"):
            self.storage.url("site.css")
        self.lay("second", site="site.222222222222")
        self.assertEqual(self.storage.url("site.css"), "/static/site.222222222222.css")

    def test_no_set_is_no_file_name(self) -> None:
        with self.assertRaises(FileNotFoundError):
            self.storage.url("site.css")
