"""Runs an image's command once on the builder, with secrets that no running container has."""

from __future__ import annotations

from lab.context import Lab
from lab.engine import memory
from lab.engine.steps import one_off
from lab.engine.waits import work
from lab.errors import LabError
from lab.plan.modes import web
from lab.plan.records import Container, File, Mount
from lab.plan.site import USERS
from lab.release.releases import Release

ONCE_FOLDER = "/run/lab/once"
KILLED = "lab: killed for memory"
# The secrets and the container go with the command, however the task that asked for it ends.
RUN = f"""{memory.EVENTS}
remove() {{
  [ ! -s "$0.id" ] || docker rm --force --volumes "$(cat "$0.id")" >/dev/null 2>&1
  rm -f "$0.id"
}}
remove
trap 'remove; rm -r "$0"' EXIT
"$@"
status=$?
if [ $status != 0 ] && [ -s "$0.id" ]; then
  id=$(cat "$0.id")
  if [ "$(docker inspect --format '{{{{.State.OOMKilled}}}}' "$id")" = true ] ||
    events {memory.RECENT_SECONDS} | grep -q "$id"; then
    echo "{KILLED}" >&2
  fi
fi
exit $status
"""


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

    Raises LabError if it was killed for memory.
    image: another one. The secrets lie in the builder's memory, readable by Django's user alone,
    while it runs.
    """
    site, folder = lab.site(release), f"{ONCE_FOLDER}-{command[0]}"
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
    with work(lab.builder.name, f"manage.py {command[0]}"):
        status, output, errors = lab.builder.attempt_change(
            "bash", "-c", RUN, folder, *one_off(container, f"{folder}.id")
        )
    proven = errors.rstrip().endswith(KILLED)
    if proven or status == memory.KILLED_STATUS:
        told = memory.killed if proven else memory.killed_by_somebody
        why = told("django", container.limit.memory)
        raise LabError(f"{lab.builder.name}: manage.py {command[0]} was {why}")
    return status, output + errors
