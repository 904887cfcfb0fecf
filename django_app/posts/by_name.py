"""The posts as older releases know them: by their author's name.

Such a release may serve beside this one while a deploy goes on, and after `fab rollback`. What it
writes is nobody's by id yet. Until all of it is taken over (`manage.py own_posts`), readers look
for it, too, and hand out the cursors that it understands.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import batched
from typing import Any

from django.core import signing

from posts import store
from posts.ids import LATEST, age, time_of
from posts.paging import BadCursor, Position
from posts.schema import ALL_OWNED, NOBODY
from posts.store import Account, Post, Sent, Store

# Seconds for which a process goes by what it was told last: of whether all posts have an owner.
LEASE = 1.0
# Ids that are looked through at once.
SOME_IDS = 500
# Posts of 10,000 characters, up to 40 KB each: well below what one write may hold.
BATCH_ROWS = 20

# Finds the ids of those accounts that have one of these names, exactly.
type FindAccounts = Callable[[Iterable[str]], Mapping[str, int]]

# (when it was asked, the answer)
_told: tuple[float, bool] = (float("-inf"), False)


def all_owned(session: Store) -> bool:
    """Whether each post has its owner, and no older release serves."""
    answer, _ = beside(session)
    return answer


def beside(session: Store, *sent: Sent) -> tuple[bool, list[list[Any]]]:
    """What all_owned tells, and the rows of statements that are sent at the same time."""
    global _told  # noqa: PLW0603 - one answer per process
    asked, answer = _told
    now = time.monotonic()
    if now - asked <= LEASE:
        return answer, store.together(session, *sent)
    *found, milestone = store.together(session, *sent, ("select_milestone", (ALL_OWNED,)))
    _told = (now, bool(milestone))
    return bool(milestone), found


def expect_older_release(session: Store) -> None:
    """Returns once no process of this release relies on all posts having an owner."""
    store.write(session, ("delete_milestone", (ALL_OWNED,)))
    # What was told before that is no longer believed after it.
    time.sleep(LEASE)


def months(session: Store, account: Account) -> set[int]:
    return {row.month for row in store.read(session, "select_months_by_name", account.name)}


def unowned(
    session: Store, account: Account, month: int, before: uuid.UUID, *, bottom: uuid.UUID, size: int
) -> list[Post]:
    """Posts that an older release wrote for the account: up to `size`, newest first, none older
    than `bottom`. What was written before there was this account is another one's."""
    place, chosen = (account.name, month), []
    while len(chosen) < size:
        rows = store.read(session, "select_ids_by_name_before", *place, before, SOME_IDS)
        ids = [row.id for row in rows if age(row.id) >= age(bottom)]
        of_nobody = _without_owner(
            session, *place, {one for one in ids if time_of(one) > account.joined}
        )
        chosen += [one for one in ids if one in of_nobody]
        if len(ids) < SOME_IDS:
            break
        before = ids[-1]
    rows = store.read(session, "select_whole_by_name", *place, chosen[:size]) if chosen else []
    posts = [Post(row.id, time_of(row.id), row.content) for row in rows]
    return sorted(posts, key=lambda post: age(post.id), reverse=True)


def _without_owner(session: Store, name: str, month: int, ids: set[uuid.UUID]) -> set[uuid.UUID]:
    if not ids:
        return set()
    owned = store.read(session, "select_owners_of", name, month, list(ids))
    return ids - {row.id for row in owned}


# -- cursors --------------------------------------------------------------------------------------


def salt(name: str) -> str:
    return f"posts.cursor:{name}"


def cursor(session: Store, account: Account, position: Position) -> str | None:
    """One that either release understands; None if the post is not there by that name."""
    place = (account.name, position.month, position.last)
    row, state = store.read_first(session, "select_state_by_name", *place)
    if row is None or row.id != position.last or not state:
        return None
    return signing.dumps([position.month, state.hex()], salt=salt(account.name))


def position(cursor: str, name: str) -> Position:
    """That of a cursor which an older release made. Raises BadCursor."""
    try:
        month, state = signing.loads(cursor, salt=salt(name))
    except signing.BadSignature:
        raise BadCursor from None
    return Position(month, LATEST if state is None else last_id(bytes.fromhex(state)))


def last_id(state: bytes) -> uuid.UUID:
    """Of the last row that was read, from Cassandra's paging state (PagingState.java, native
    protocol 5): no partition key, then the row's clustering, 18 bytes of which the last 16 are its
    one column. Asking Cassandra instead would have the driver take a server for dead that refuses
    the state."""
    if len(state) < 20 or state[:4] != b"\x00\x12\x00\x10":
        raise BadCursor
    return uuid.UUID(bytes=state[4:20])


# -- taking over ----------------------------------------------------------------------------------


def take_over(session: Store, accounts: FindAccounts) -> Counter[int]:
    """Gives each row of `posts` without an owner to the account with its name, or to nobody.

    Returns account to posts. May be repeated, and cut off at any time. A row is read before the
    accounts are: its account was there before it.
    """
    taken: Counter[int] = Counter()
    for row in store.read(session, "select_partitions_by_name"):
        place = (row.username, row.month)
        ids = {one.id for one in store.read(session, "select_ids_by_name", *place)}
        # After them: whoever writes by account writes the owner first.
        ids -= {one.id for one in store.read(session, "select_owners", *place)}
        if not ids:
            continue
        account = Account(accounts([row.username]).get(row.username, NOBODY), row.username)
        for some in batched(sorted(ids, key=age), BATCH_ROWS, strict=False):
            taken[account.id] += _take(session, account, row.month, some)
    return taken


def _take(session: Store, account: Account, month: int, ids: tuple[uuid.UUID, ...]) -> int:
    """With the time at which each was written: what is removed meanwhile stays removed."""
    rows = store.read(session, "select_whole_by_name", account.name, month, list(ids))
    if not rows:
        return 0
    posts = [(account.id, month, r.id, r.content, account.name, r.written) for r in rows]
    owners = [(account.name, month, r.id, account.id, r.written) for r in rows]
    newest = max(row.written for row in rows)
    store.write(session, ("take_month", (account.id, month, newest)))
    store.write_as_one(session, "take_post", posts)
    store.write_as_one(session, "take_owner", owners)
    return len(rows)


def finish(session: Store) -> None:
    """No older release serves from now on, and none has written what is not taken over."""
    store.write(session, ("insert_milestone", (ALL_OWNED,)))


def nobodys(session: Store) -> Counter[str]:
    """Name to posts that no account has, since there was none of that name."""
    found: Counter[str] = Counter()
    for row in store.read(session, "select_months", NOBODY):
        written = store.read(session, "select_written", NOBODY, row.month)
        found.update(post.written_as for post in written)
    return found


# -- removing -------------------------------------------------------------------------------------


def remove(session: Store, name: str, month: int, ids: Iterable[uuid.UUID], left: datetime) -> None:
    """Posts of an account that went away then."""
    for some in batched(ids, BATCH_ROWS, strict=False):
        rows = [(name, month, identity) for identity in some]
        store.write_as_one(session, "delete_post_by_name", rows)
        store.write_as_one(session, "delete_owner", rows)
    if not store.read(session, "select_ids_by_name", name, month):
        # Unless another account of this name begins to write in it just now.
        moment = int(left.timestamp() * 1_000_000)
        store.write(session, ("delete_month_by_name", (moment, name, month)))


def remove_unowned(session: Store, account: Account, left: datetime) -> None:
    """What an older release wrote for an account that went away then. Of another account of this
    name are only those whose form was opened later."""
    for month in months(session, account):
        rows = store.read(session, "select_ids_by_name", account.name, month)
        earlier = {row.id for row in rows if time_of(row.id) < left}
        unowned = _without_owner(session, account.name, month, earlier)
        remove(session, account.name, month, unowned, left)
