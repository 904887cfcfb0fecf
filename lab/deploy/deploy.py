"""What `deploy` and `rollback` do: a release is brought to the web nodes."""

from __future__ import annotations

from functools import partial

from lab.balancers.balancers import balance
from lab.config.topology import WebService
from lab.context import NO_RELEASE, Lab
from lab.databases import owners
from lab.databases.initialize import INITIALIZED, initialize, initialized
from lab.deploy import roll, swarm
from lab.deploy.changes import left_behind
from lab.deploy.history import conclude, forget_images, journal, record, recorded
from lab.deploy.publishing import prepare
from lab.deploy.up import bring_up
from lab.engine.progress import interrupted, say
from lab.errors import LabError
from lab.release import releases
from lab.release.images import WEB_IMAGES
from lab.release.releases import Release


def deploy(lab: Lab, services: tuple[WebService, ...], *, other_mode: bool = False) -> Release:
    """Builds and pushes the current sources and brings them to web services, one after another.

    The release becomes the lab's current one when it is on all of them. In a lab that has none
    yet, all that they need is started first.
    other_mode: the lab is not wired as lab.yml says, for as long as this release lasts.
    """
    swarm.require_whole(lab, services)
    if not lab.current_release():
        return _first(lab, services, other_mode=other_mode)
    release = prepare(lab)
    left = left_behind(lab, release, services)
    if not left and not other_mode:
        # Those of earlier deploys have the release already, if perhaps by another name.
        services = lab.topology.web
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
    conclude(lab, release, services, left)
    if lab.current_release() == release:
        forget_images(lab)
    return release


def _first(lab: Lab, services: tuple[WebService, ...], *, other_mode: bool) -> Release:
    if other_mode:
        raise LabError(f"--mode: {NO_RELEASE}")
    what = "registry, databases and balancers are built and started first, where they are not there"
    say("lab", f"no release is on all web nodes yet: {what}")
    return bring_up(lab, services)


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
