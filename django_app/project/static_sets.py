"""Which static files pages name: those of the set that the lab says serves now."""

from threading import Lock

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.storage import FileSystemStorage


class StaticSetStorage(ManifestStaticFilesStorage):
    """Django's own storage, but for where its manifest comes from: beside the image.

    LAB_STATIC_SET_FILE names the set, and LAB_STATIC_MANIFESTS has its manifest. Looked at whenever
    a file's name is asked for, so a changed style sheet needs no restart.
    """

    def __init__(self) -> None:
        self._followed = ""
        self._following = Lock()
        super().__init__(manifest_storage=FileSystemStorage(settings.LAB_STATIC_MANIFESTS))

    def stored_name(self, name: str) -> str:
        """Raises OSError without the set's name or manifest, ValueError if the set has no such
        file."""
        self._follow()
        return super().stored_name(name)

    def _follow(self) -> None:
        serving = settings.LAB_STATIC_SET_FILE.read_text().strip()
        if serving == self._followed:
            return
        with self._following:
            self.manifest_name = f"{serving}.json"
            files, self.manifest_hash = self.load_manifest()
            if not files:
                raise FileNotFoundError(f"no manifest of static set {serving!r}: `fab deploy`")
            # In this order: another thread that sees the name followed has its files.
            self.hashed_files = files
            self._followed = serving
