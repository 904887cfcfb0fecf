"""What `deploy` and `rollback` do: a release is brought to the web nodes."""

from __future__ import annotations

from functools import partial

from lab.balancers.balancers import balance
from lab.config.topology import WebService
from lab.context import Lab
from lab.databases import owners
from lab.databases.initialize import INITIALIZED, initialize, initialized
from lab.deploy import roll, swarm
from lab.deploy.history import forget_images, journal, record, recorded
from lab.deploy.publishing import WEB_IMAGES, prepare
from lab.engine.progress import interrupted
from lab.errors import LabError
from lab.release import releases
from lab.release.releases import Release


def deploy(lab: Lab, services: tuple[WebService, ...]) -> Release:
    """Builds and pushes the current sources and brings them to web services, one after another.

    The release becomes the lab's current one when it is brought to all of them.
    """
    whole = set(services) == set(lab.topology.web)
    swarm.require_whole(lab, services)
    release = prepare(lab)
    # Once, before the first node: the release before has to be able to work with it.
    databases = None
    if not initialized(lab, release):
        databases = partial(initialize, lab, release, only_news=True)
    # Until the end, the history says that it was tried.
    lab.builder.put(release.files(current=False))
    try:
        if lab.topology.overlay:
            if databases:
                databases()
            swarm.deploy(lab, release, partial(balance, lab, release))
        else:
            roll.bring(lab, release, services, databases)
    except LabError as error:
        if not interrupted():
            record(lab, release, "failed", str(error).splitlines()[0])
        raise
    if whole:
        record(lab, release, "live")
        owners.take_over(lab, release)
        forget_images(lab)
    else:
        record(lab, release, "one node", ", ".join(service.nginx for service in services))
    return release


def rollback(lab: Lab, name: str) -> Release:
    """Goes back to a release of the history: its images, and its web services as they were.

    name: which one; empty: the one that was live before. The databases stay as they are.
    """
    current = lab.require_release()
    release = recorded(lab, name or releases.previous(journal(lab), current.name))
    if release.lacking:
        lacking = ", ".join(release.lacking)
        raise LabError(f"rollback: {release.name} has no {lacking}: an older lab made it")
    # The web goes back; the databases, the balancers and the registry stay as they are.
    web_tags = {image: release.tags[image] for image in WEB_IMAGES}
    release = release.model_copy(update={"tags": current.tags | web_tags})
    before = lab.as_of(release)
    # Which may be an older one, and has the databases looked at again by the next deploy.
    lab.builder.change("rm", "--force", INITIALIZED)
    databases = partial(owners.expect_older_release, lab)
    if swarm.active(lab):
        stack = Lab(before.topology.with_overlay())
        databases()
        swarm.deploy(stack, release, partial(balance, stack, release))
    else:
        roll.bring(before, release, before.topology.web, databases)
    record(lab, release, "live")
    owners.take_over(lab, release)
    return release
