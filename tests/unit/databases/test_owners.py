"""When pages look for what an older release wrote, and when that ends."""

from types import SimpleNamespace

import pytest

from lab.databases import owners
from lab.errors import LabError
from lab.plan.modes.web import DJANGO_SECRETS

NOTED = "/var/lib/lab/posts_owned"
CURRENT = SimpleNamespace(name="current")
NEWER = SimpleNamespace(name="newer")
OLDER = "Unknown command: 'own_posts'"


class Lab:
    """Its builder has the note or not; what is done to it is kept in order."""

    def __init__(self, *, noted):
        self.builder, self.noted, self.done = self, noted, []

    def require_release(self):
        return CURRENT

    def attempt(self, *command):
        assert command == ("test", "-e", NOTED)
        return (0 if self.noted else 1), "", ""

    def change(self, *command):
        assert command == ("rm", "--force", NOTED)
        self.noted = False
        self.done.append("forget")

    def put(self, files):
        assert [file.path for file in files] == [NOTED]
        self.noted = True
        self.done.append("note")


@pytest.fixture
def lab(monkeypatch):
    """lab(noted, status, output): what `manage.py` then says."""

    def made(*, noted, status=0, output=""):
        lab = Lab(noted=noted)

        def run_django(_, release, command, secrets):
            assert secrets == DJANGO_SECRETS
            lab.done.append(f"{release.name}: {command}")
            return status, output

        monkeypatch.setattr(owners, "run_django", run_django)
        return lab

    return made


TOLD = "current: expect_older_release"


@pytest.mark.parametrize("noted", [True, False])
def test_pages_are_told_of_an_older_release_whether_or_not_there_is_a_note(lab, noted):
    made = lab(noted=noted)
    owners.expect_older_release(made)
    assert made.done == ["forget", TOLD]


def test_nothing_goes_on_where_they_can_t_be_told(lab):
    with pytest.raises(LabError, match="^expect_older_release: NoHostAvailable: nothing was"):
        owners.expect_older_release(lab(noted=True, status=1, output="a\nNoHostAvailable\n"))


def test_where_an_older_release_serves_already_there_is_nobody_to_tell(lab):
    made = lab(noted=False, status=1, output="Unknown command: 'expect_older_release'\n")
    owners.expect_older_release(made)
    assert made.done == ["forget", TOLD]


@pytest.mark.parametrize(
    ("lines", "done"),
    [
        (["mysql: x", "posts: all were taken over"], ["note"]),
        (["posts: 3 taken over by 1 accounts, 0 by nobody, older releases may serve"], ["forget"]),
        (["mysql: database djangodb: was there"], ["forget", TOLD]),
    ],
    ids=["all owned", "some taken over", "an older release"],
)
def test_what_initialize_said_is_minded(lab, lines, done):
    made = lab(noted=False)
    owners.learn(made, lines)
    assert made.done == done


@pytest.mark.parametrize(
    ("noted", "status", "output", "done"),
    [
        (True, 0, "", []),
        (False, 0, "posts: 1 taken over\n", ["newer: own_posts", "note"]),
        (False, 1, OLDER, ["newer: own_posts"]),
        (False, 1, "NoHostAvailable", ["newer: own_posts"]),
    ],
    ids=["noted", "done", "an older release", "failed"],
)
def test_the_rest_is_taken_over_once(lab, noted, status, output, done):
    made = lab(noted=noted, status=status, output=output)
    owners.take_over(made, NEWER)
    assert made.done == done
