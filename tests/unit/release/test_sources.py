"""Which files images are made of, and with which modes: by the tag, by rsync, by Docker alike."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from lab.config.paths import FOLDER
from lab.deploy.building import send
from lab.release import images
from lab.release.images import IMAGES, LEFT_OUT

# Names of files and folders, as editors, systems and tools make them.
OF_NO_USE = (
    # Vim, Emacs, nano, Kate, gedit, LibreOffice
    *(".urls.py.swp", ".urls.py.swo", ".urls.py.swx", "urls.py.swp", "4913", "urls.py~"),
    *("#urls.py#", ".#urls.py", ".urls.py.kate-swp", ".goutputstream-X7Q1Z2", "urls.py.save"),
    *(".urls.py.un~", ".netrwhist", ".~lock.notes.odt#", "urls.elc"),
    # IDEs
    *(".idea", ".vscode", ".project", ".settings", ".history", "lab.iml", "lab.sublime-project"),
    *("lab.sublime-workspace", "urls.py___jb_tmp___", "urls.py___jb_old___"),
    # macOS, Windows, Linux, network file systems
    *(".DS_Store", "._urls.py", "__MACOSX", ".AppleDouble", ".Trashes", ".Spotlight-V100"),
    *("Thumbs.db", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", "$RECYCLE.BIN"),
    *("urls.lnk", ".directory", ".Trash-1000", ".nfs000000000001", ".fuse_hidden0000a", "core.123"),
    *("lost+found", "nohup.out"),
    # Git and others, merges and patches
    *(".git", ".gitignore", ".gitkeep", ".hg", ".hgignore", ".svn", "CVS", "urls.py.orig"),
    "urls.py.rej",
    # Python and other tools
    *("__pycache__", "urls.cpython-313.pyc", "urls.pyo", ".mypy_cache", ".pytest_cache"),
    *(".ruff_cache", ".coverage", "htmlcov", ".tox", ".venv", "venv", "lab.egg-info"),
    *(".ipynb_checkpoints", "node_modules", ".env", ".envrc", ".python-version"),
    # Copies and leavings
    *("urls.py.bak", "urls.tmp", "urls.temp", "urls.part", "debug.log", "URLS.BAK", "URLS.TMP"),
    *("urls.py.save.1", "urls.bak.py", "urls_LOCAL_1234.py", "urls_BASE_1234.py"),
    *("urls_REMOTE_1234.py", "urls_BACKUP_1234.py"),
    # Indexes and sessions
    *("TAGS", "cscope.out", "Session.vim", "lab.code-workspace"),
)
OF_USE = (
    *("urls.py", "manage.py", "uwsgi.ini", "site.css", "logo.svg", "nginx.conf", "base.html"),
    *("requirements.txt", "jvm17.options", "Dockerfile", "core", "tags", "log.py", "tmp.py"),
    *("backup.sql", "catalog", "temp", "original.png", "5913", "film.swf", "save.py", "cvs.py"),
    *("Icon", "Icons", "Icon1", "X_LOCAL_Y.txt", "Session.py", "save.tmp.py", "bak.py"),
    *("a b.css", "grüße.txt", "swap.py", "git.py", "env.py", "x.origin", "log", "#1.css", "a~b"),
)
SEEN = ("django_app/posts", "images/webapp_nginx")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def sources(tmp_path):
    """A few of the project's own, in a folder whose name would itself be left out."""
    folder = tmp_path / ".tmp" / "venv"
    for path in (
        "django_app/manage.py",
        "django_app/posts/urls.py",
        "django_app/templates/base.html",
        "images/mysql/entrypoint.sh",
        "images/webapp_nginx/nginx.conf",
        "provision/node/files/lab-base-image",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / path, folder / path)
    return folder


def sent(folder, target):
    """Path to mode, of what came of sending."""
    target.mkdir(exist_ok=True)
    send(folder, f"{target}/")
    return {
        str(path.relative_to(target)): stat.S_IMODE(path.lstat().st_mode)
        for path in target.rglob("*")
    }


@pytest.mark.parametrize("folders", [False, True], ids=["files", "folders"])
def test_what_no_image_needs_changes_no_tag_and_is_not_sent(sources, tmp_path, folders):
    tags, before = images.tags(sources), sent(sources, tmp_path / "there")
    for place in SEEN:
        for name in OF_NO_USE:
            path = sources / place / name / "in.py" if folders else sources / place / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("x")
    assert images.tags(sources) == tags
    assert sent(sources, tmp_path / "there") == before


def test_a_pattern_is_what_docker_s_client_can_send():
    """It goes to BuildKit in a header."""
    patterns = (FOLDER / "provision" / "left-out").read_text()
    assert all(" " <= letter <= "~" or letter == "\n" for letter in patterns)


def test_what_an_image_may_need_changes_its_tag_and_is_sent(sources, tmp_path):
    tags = images.tags(sources)
    for name in OF_USE:
        for place in SEEN:
            path = sources / place / name
            path.write_text(path.read_text() + "x" if path.exists() else "x")
        after = images.tags(sources)
        changed = {image for image in after if after[image] != tags[image]}
        assert changed == {"webapp_allinone", "webapp_django", "webapp_nginx"}, name
        tags = after
    wanted = {f"{place}/{name}" for place in SEEN for name in OF_USE}
    assert wanted <= sent(sources, tmp_path / "there").keys()


@pytest.mark.skipif(not (FOLDER / ".git").exists(), reason="this folder is no clone")
def test_nothing_that_git_has_is_left_out():
    tracked = run("git", "-C", FOLDER, "ls-files", "-z", "images", "django_app").split("\0")
    assert len(tracked) > 100
    assert [path for path in tracked if path and images.left_out(Path(path))] == []


def test_what_is_on_the_builder_and_no_longer_here_goes(sources, tmp_path):
    for name in (".urls.py.swp", "gone.py", "__pycache__/x.pyc", ".idea/workspace.xml"):
        path = tmp_path / "there" / "django_app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = sent(sources, tmp_path / "there")
    (tmp_path / "anew").mkdir()
    assert found == sent(sources, tmp_path / "anew")


def test_an_emacs_lock_is_a_link_to_nowhere(sources, tmp_path):
    tags = images.tags(sources)
    (sources / "django_app/.#manage.py").symlink_to("me@here.1234:5678")
    assert images.tags(sources) == tags
    assert "django_app/.#manage.py" not in sent(sources, tmp_path / "there")


def test_of_a_link_it_counts_where_it_leads(sources, tmp_path):
    tags = [images.tags(sources)]
    link = sources / "django_app/templates/entry.html"
    for target in ("base.html", "elsewhere.html"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        tags.append(images.tags(sources))
    assert len({one["webapp_django"] for one in tags}) == 3
    sent(sources, tmp_path / "there")
    assert (tmp_path / "there/django_app/templates/entry.html").readlink() == Path("elsewhere.html")


def test_a_name_need_not_be_utf_8(sources, tmp_path):
    before = images.tags(sources)
    name = os.fsdecode(b"caf\xe9.html")
    (sources / "django_app/templates" / name).write_text("x")
    (sources / "django_app/templates/link.html").symlink_to(name)
    after = images.tags(sources)
    changed = {image for image in after if after[image] != before[image]}
    assert changed == {"webapp_allinone", "webapp_django"}
    assert f"django_app/templates/{name}" in sent(sources, tmp_path / "there")


def test_a_tag_is_the_digest_of_names_kinds_and_contents(tmp_path):
    """Another reckoning would have every lab build every image again."""
    for path, text in (
        ("provision/node/files/lab-base-image", "base"),
        ("images/haproxy/Dockerfile", "FROM"),
        ("images/haproxy/grüße.txt", "x"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "images/haproxy/link").symlink_to("grüße.txt")
    assert images.tag(IMAGES["haproxy"], tmp_path) == "0378a6de68ee"


def test_content_counts_where_size_and_time_do_not_tell(sources, tmp_path):
    sent(sources, tmp_path / "there")
    path = sources / "django_app/manage.py"
    before, text = path.stat(), path.read_text()
    path.write_text(text[:-1] + "#")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    sent(sources, tmp_path / "there")
    assert (tmp_path / "there/django_app/manage.py").read_text() == path.read_text()


# A file's mode as umasks and file systems make it, and what counts of it.
MODES = {
    0o600: 0o644,
    0o640: 0o644,
    0o644: 0o644,
    0o664: 0o644,
    0o666: 0o644,
    0o444: 0o644,
    0o400: 0o644,
    0o655: 0o644,
    0o700: 0o755,
    0o750: 0o755,
    0o755: 0o755,
    0o775: 0o755,
    0o777: 0o755,
    0o500: 0o755,
    0o744: 0o755,
    0o2755: 0o755,
}


def test_of_a_mode_the_owner_s_executable_bit_counts_and_no_other(sources, tmp_path):
    paths = ("django_app/manage.py", "images/mysql/entrypoint.sh")
    expected = {}
    for mode, normal in MODES.items():
        for path in paths:
            (sources / path).chmod(mode)
        found, tags = sent(sources, tmp_path / "there"), images.tags(sources)
        assert [found[path] for path in paths] == [normal, normal], f"{mode:o}"
        assert expected.setdefault(normal, tags) == tags, f"{mode:o}"
    plain, executable = expected[0o644], expected[0o755]
    changed = {image for image in plain if plain[image] != executable[image]}
    assert changed == {"mysql", "webapp_allinone", "webapp_django", "webapp_static"}


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o002, 0o000], ids=lambda umask: f"{umask:o}")
def test_a_clone_of_any_umask_is_sent_alike(sources, tmp_path, umask):
    expected, tags = sent(sources, tmp_path / "there"), images.tags(sources)
    for path in sources.rglob("*"):
        path.chmod((0o777 if path.is_dir() or path.stat().st_mode & 0o100 else 0o666) & ~umask)
    before = os.umask(umask)
    try:
        assert sent(sources, tmp_path / "of another umask") == expected
        assert images.tags(sources) == tags
    finally:
        os.umask(before)
    assert set(expected.values()) == {0o644, 0o755}


@pytest.mark.parametrize("image", sorted({image.dockerfile_path for image in IMAGES.values()}))
def test_docker_leaves_out_what_the_tag_does_and_more(image):
    """Docker's rules: the last one that fits decides, and `!` lets in."""
    rules = (FOLDER / f"{image}.dockerignore").read_text().splitlines()
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert rules[0] == "*"
    if all((FOLDER / path).is_file() for path in let_in):
        assert rules == ["*", *(f"!{path}" for path in let_in)]
    else:
        assert rules[-len(LEFT_OUT) :] == [f"**/{pattern}" for pattern in LEFT_OUT]


def test_what_makes_a_node_is_not_what_editors_leave_there(tmp_path):
    shutil.copytree(FOLDER / "provision", tmp_path / "provision")
    digest = tmp_path / "provision/node-digest"
    before, of_image = run(digest), run(digest, "image")
    for name in OF_NO_USE:
        (tmp_path / "provision/node/sbin" / name).write_text("x")
    assert (run(digest), run(digest, "image")) == (before, of_image)
    (tmp_path / "provision/node/sbin/lab-new").write_text("x")
    assert run(digest) != before
