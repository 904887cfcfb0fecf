"""What is built again when something changes: nothing before the change."""

import re
import uuid

import pytest

from lab.deploy.building import BUILDER_SOCKET, SOURCE, missing, send_sources
from lab.plan.records import File
from lab.release import images
from lab.release.images import IMAGES, LEFT_OUT
from tests.live.support.sources import Copy
from tests.unit.release.test_sources import OF_NO_USE, OF_USE

COPY = "/var/lib/lab/source-of-a-test"
REFERENCE = "test/webapp_static:changed-style-sheet"

# Steps of images/webapp_django/Dockerfile, by a word of each: kept, or made anew?
STEPS = {
    "apt-get install -y --no-install-recommends       brotli gcc": "CACHED",
    "/venv/bin/pip install": "CACHED",
    "libmariadb3": "CACHED",
    "COPY --from=packages /venv": "CACHED",
    "COPY django_app/project/__init__.py": "CACHED",
    "COPY django_app/static/": "DONE",
    "manage.py collectstatic": "DONE",
}


@pytest.fixture
def report(running):
    """BuildKit's report of building the sources with one more rule in the style sheet."""
    builder, image = running.builder, IMAGES["webapp_static"]
    send_sources(running, {})
    builder.run("systemctl", "start", "lab-builder")
    try:
        _build(builder, image, SOURCE)
        builder.run("cp", "--recursive", SOURCE, COPY)
        # Never built before, by an earlier run either.
        rule = f"/* {uuid.uuid4()} */"
        builder.run("sh", "-c", f"echo '{rule}' >> {COPY}/django_app/static/site.css")
        yield _build(builder, image, COPY)
    finally:
        builder.run("rm", "--recursive", "--force", COPY)
        builder.attempt("docker", "--host", BUILDER_SOCKET, "image", "rm", REFERENCE)


def _build(builder, image, source):
    status, output, errors = builder.attempt(
        "lab-build", REFERENCE, source, image.dockerfile_path, image.target
    )
    assert status == 0, errors
    return output + errors


def test_a_changed_style_sheet_reuses_everything_before_the_sources(report):
    fates = {}
    for number, step in re.findall(r"^#(\d+) \[.*?\d+/\d+\] (.*)$", report, re.MULTILINE):
        fate = re.search(rf"^#{number} (CACHED|DONE)", report, re.MULTILINE)
        fates[step] = fate[1] if fate else "unfinished"
    found = {word: sorted({fate for step, fate in fates.items() if word in step}) for word in STEPS}
    assert found == {word: [fate] for word, fate in STEPS.items()}, report


def test_nothing_is_missing_from_the_registry(running):
    assert missing(running, images.tags()) == {}


def test_a_clone_of_another_umask_where_editors_are_at_work_builds_and_replaces_nothing(
    running, tmp_path
):
    copy = Copy.make(tmp_path / "copy")
    for folder in ("django_app", "images", "provision"):
        for name in OF_NO_USE:
            (copy.folder / folder / name).write_text("x")
        for path in (copy.folder / folder).rglob("*"):
            path.chmod(path.stat().st_mode & 0o700)
    status, run = copy.fab("deploy")
    assert status == 0, run.output
    assert not re.search(r"  (build|start|stop|pull) ", run.output), run.output


def test_docker_leaves_out_what_the_tags_do(running):
    """BuildKit's own reading of the patterns that each Dockerfile.dockerignore ends with."""
    builder, folder = running.builder, f"{COPY}-context"
    rules = "".join(f"{rule}\n" for rule in ("*", "!app/**", *(f"**/{one}" for one in LEFT_OUT)))
    files = {"Dockerfile": "FROM scratch\nCOPY . /\n", "Dockerfile.dockerignore": rules}
    files |= {f"app/{name}": "" for name in (*OF_NO_USE, *OF_USE)}
    files |= {f"app/folders/{name}/in.py": "" for name in (*OF_NO_USE, *OF_USE)}
    try:
        builder.put(File(f"{folder}/{path}", content) for path, content in files.items())
        output = ("--output", f"type=local,dest={folder}/out")
        builder.run("docker", "--host", BUILDER_SOCKET, "buildx", "build", *output, folder)
        found = builder.run("find", f"{folder}/out/app", "-type", "f", "-printf", "%P\\n")
    finally:
        builder.run("rm", "--recursive", "--force", folder)
    assert set(found.splitlines()) == {*OF_USE, *(f"folders/{name}/in.py" for name in OF_USE)}
