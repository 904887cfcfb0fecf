"""A task that is run again changes nothing where nothing differs."""

from lab.deploy.up import bring_up
from lab.doctor.status import status
from lab.engine.progress import together


def fingerprint(lab):
    """Every container's id, start and restarts: whatever touched one would show."""
    observations = status(lab).observations
    ids = {name: sorted(seen.containers) for name, seen in observations.items() if seen}
    return together({name: lambda n=name: _of(lab.nodes[n], ids[n]) for name in ids})


def _of(node, names):
    return {
        one["Name"]: (one["Id"], one["State"]["StartedAt"], one["RestartCount"])
        for one in node.inspect(*names)
    }


def test_bringing_up_a_lab_that_is_up_touches_no_container(running, capfd):
    before = fingerprint(running)
    bring_up(running)
    assert fingerprint(running) == before
    said = capfd.readouterr().err
    for word in ("start ", "replace ", "remove ", "reload ", "pull ", "build ", "pushed "):
        assert word not in said, said
    for service in running.topology.web:
        assert f"{service.mode}: unchanged" in said


def test_status_says_that_all_is_well(running):
    found = status(running)
    assert found.troubles() == []
    assert found.healthy
    assert set(found.as_json()) == {"release", "healthy", "nodes"}
