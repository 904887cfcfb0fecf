"""Who takes over from a server, and what one does whose disk fills. Pure, like decide.py."""

from group_agent.decide import Member, Observation, Others, Role, State

# MiB of free room on the disk with the data.
#
# A mysqld that lacks room for its binary log waits for it, with every write that it was given, and
# stays in the group; as the primary it holds up everybody's. So it is to be none before that: a
# handover takes 4 s at most (server.HANDOVER_TIMEOUT), in which the lab writes some MiB.
SHORT = 64
# What a redo log and a binary log that are in use still take before a commit waits.
FULL = 8
# To start it may have to make its redo log (32), its temporary table space (12) and two undo table
# spaces (16 each) anew; then it must not be short at once of what it fetches from the others.
ROOM = 128


def successor(me: Observation, others: Others) -> Member | None:
    """Who can take over the primary's role from this server: rather one that has room."""
    ready = _ready(me)
    return next((m for m in ready if _has_room(others.get(m.address))), next(iter(ready), None))


def relief(me: Observation, others: Others) -> Member | None:
    """Who should take over because this server's disk is short: one that has room, or nobody."""
    if me.free >= SHORT:
        return None
    return next((m for m in _ready(me) if _has_room(others.get(m.address))), None)


def _ready(me: Observation) -> list[Member]:
    if me.state != State.ONLINE or me.role != Role.PRIMARY:
        return []
    return [m for m in me.members if m.state == State.ONLINE and m.role == Role.SECONDARY]


def _has_room(server: Observation | None) -> bool:
    return server is not None and server.free >= ROOM


def may_run(free: int) -> bool:
    """Whether mysqld may be started, with so many MiB free."""
    return free >= ROOM


def is_to_end(me: Observation, others: Others) -> bool:
    """Whether mysqld has to end because its disk is full, so that the group goes on without it.

    Only if those that are not short themselves are a majority: the group would be none without it.
    Two servers never both end: each tells of its own disk before it asks for the other's.
    """
    if me.free >= FULL:
        return False
    fit = [
        other
        for other in others.values()
        if other and other.state == State.ONLINE and other.in_majority and other.free >= SHORT
    ]
    return bool(fit) and len(fit) * 2 > max(len(other.members) for other in fit)
