"""What Django is asked about the databases, in a container of its own (posts/management)."""

from __future__ import annotations

from lab.backup import posts
from lab.backup.posts import Posts
from lab.context import Lab
from lab.databases.once import run_django
from lab.errors import LabError
from lab.plan.modes.web import DJANGO_SECRETS
from lab.release.releases import Release

Environment = tuple[tuple[str, str], ...]


def rows_of_posts(
    lab: Lab, release: Release, *, network: str = "bridge", environment: Environment = ()
) -> Posts:
    """Digests of all rows of the posts' tables, read at LOCAL_QUORUM.

    network, environment: of another ring than the lab's.
    """
    return posts.parse(_asked(lab, release, "digest_posts", network, environment))


def known_migrations(lab: Lab, release: Release) -> tuple[str, ...]:
    """Those that the release has, as app.name."""
    return tuple(_asked(lab, release, "known_migrations").split())


def empty_posts(lab: Lab, release: Release) -> None:
    _asked(lab, release, "empty_posts")


def _asked(
    lab: Lab,
    release: Release,
    command: str,
    network: str = "bridge",
    environment: Environment = (),
) -> str:
    status, output = run_django(
        lab, release, command, secrets=DJANGO_SECRETS, environment=environment, network=network
    )
    if status != 0:
        said = output.strip().splitlines()[-1:] or ["it said nothing"]
        raise LabError(
            f"manage.py {command}: {said[0]}: `fab doctor`; an old release: `fab deploy`"
        )
    return output
