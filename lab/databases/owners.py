"""Has every post belong to its author's account, beside releases that know names only.

While such a release may serve, pages look for what it writes, and pay for that. Once all web
services run a release that knows accounts, what is left is taken over, and Cassandra says so to
the pages (django_app/posts/by_name.py). A note on the builder spares asking for that again.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.context import Lab
from lab.databases.once import run_django
from lab.engine.progress import say
from lab.errors import LabError
from lab.plan.modes.web import DJANGO_SECRETS
from lab.plan.records import File
from lab.release.releases import Release

# On the builder: nothing is left to be taken over, and no older release serves.
OWNED = "/var/lib/lab/posts_owned"
# What Django says to a command that an older release has not.
UNKNOWN = "Unknown command"


def learn(lab: Lab, lines: Iterable[str]) -> None:
    """From what `initialize` printed: an older release's says nothing of posts."""
    told = [line for line in lines if line.startswith("posts: ")]
    if any("all were taken over" in line for line in told):
        _note(lab)
    elif told:
        lab.builder.change("rm", "--force", OWNED)
    else:
        expect_older_release(lab)


def expect_older_release(lab: Lab) -> None:
    """Before the first Django of a release that may be an older one is started.

    Raises LabError if the pages can't be told: what that release writes would not be looked for.
    """
    lab.builder.change("rm", "--force", OWNED)
    status, output = run_django(
        lab, lab.require_release(), "expect_older_release", secrets=DJANGO_SECRETS
    )
    if status != 0 and UNKNOWN not in output:
        raise LabError(f"expect_older_release: {_end(output)}: nothing was changed: `fab doctor`")


def take_over(lab: Lab, release: Release) -> None:
    """Once all web services run this release. Where that fails, the next deploy tries it again."""
    status, _, _ = lab.builder.attempt("test", "-e", OWNED)
    if status == 0:
        return
    status, output = run_django(lab, release, "own_posts", secrets=DJANGO_SECRETS)
    if status == 0:
        _note(lab)
        say("lab", _end(output))
    elif UNKNOWN in output:
        say("lab", "posts: this release knows them by their authors' names only")
    else:
        say("lab", f"posts: those of older releases are not taken over yet: {_end(output)}")


def _end(output: str) -> str:
    return (output.strip().splitlines() or ["it said nothing"])[-1]


def _note(lab: Lab) -> None:
    lab.builder.put([File(OWNED, "")])
