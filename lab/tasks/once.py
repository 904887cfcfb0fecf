"""Runs an image's command once on the builder, with secrets that no running container has."""

from __future__ import annotations

from lab.containers import Container, File, Mount
from lab.docker import one_off
from lab.modes import web
from lab.releases import Release
from lab.site import USERS
from lab.tasks.context import Lab

FOLDER = "/run/lab/once"
# The secrets go with the command, however the task that asked for it ends.
FORGETTING = 'trap "rm -r "$0"" EXIT; "$@"'


def run_django(
    lab: Lab,
    release: Release,
    *command: str,
    secrets: tuple[str, ...],
    environment: tuple[tuple[str, str], ...] = (),
    network: str = "bridge",
    image: str = "",
) -> tuple[int, str]:
    """Exit status and output of `python manage.py COMMAND ...` in a release's image of Django.

    image: another one. The secrets lie in the builder's memory, readable by Django's user alone,
    while it runs.
    """
    site, folder = lab.site(release), f"{FOLDER}-{command[0]}"
    container = Container(
        name="once",
        # None of the lab's services: nobody should observe it, wait for it or remove it.
        service="",
        image=image or site.images["webapp_django"],
        limit=lab.topology.limits.django,
        network=network,
        environment=(*web.django_environment(site, lab.topology.builder, "once"), *environment),
        mounts=(Mount(folder, "/run/secrets"),),
        command=("python", "manage.py", *command),
    )
    lab.builder.put(
        File(f"{folder}/{name}", lab.secrets[name], 0o600, USERS["django"], secret=True)
        for name in secrets
    )
    status, output, errors = lab.builder.attempt_change(
        "bash", "-c", FORGETTING, folder, *one_off(container)
    )
    return status, output + errors
