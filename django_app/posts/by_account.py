"""The posts of an account: writing, listing, removing them."""

import uuid
from collections import defaultdict
from datetime import datetime

from posts import by_name, paging, store
from posts.ids import EARLIEST, age, month_of, time_of
from posts.schema import NOBODY
from posts.store import Account, Post

PAGE_SIZE = 20


def add(account: Account, identity: uuid.UUID, content: str) -> None:
    """May be repeated: the same id and content make the same post."""
    session = store.connected()
    month = month_of(time_of(identity))
    # First what lists it: a post in a month that is not listed would never be found, and one
    # without its owner would be anybody's who gets the name.
    store.write(
        session,
        ("insert_month", (account.id, month)),
        ("insert_month_by_name", (account.name, month)),
        ("insert_owner", (account.name, month, identity, account.id)),
    )
    store.write(
        session,
        ("insert_post", (account.id, month, identity, content, account.name)),
        ("insert_post_by_name", (account.name, month, identity, content)),
    )


def page(account: Account, cursor: str | None) -> tuple[tuple[Post, ...], str | None]:
    """The account's posts from a cursor on (None: the newest), and the cursor of the next page.

    Raises paging.BadCursor.
    """
    start = None if cursor is None else _position(cursor, account)
    session = store.connected()
    beside_older = not by_name.all_owned(session)
    months = by_name.months(session, account) if beside_older else set()
    months |= {row.month for row in store.read(session, "select_months", account.id)}

    def owned(month: int, before: uuid.UUID, size: int) -> list[Post]:
        rows = store.read(session, "select_posts", account.id, month, before, size)
        return [Post(row.id, time_of(row.id), row.content) for row in rows]

    def with_unowned(month: int, before: uuid.UUID, size: int) -> list[Post]:
        posts = owned(month, before, size)
        bottom = posts[-1].id if len(posts) == size else EARLIEST
        others = by_name.unowned(session, account, month, before, bottom=bottom, size=size)
        # Once more: those that were taken over meanwhile are there now, and may be missing above.
        found = {post.id: post for post in (*others, *owned(month, before, size))}
        return [found[one] for one in sorted(found, key=age, reverse=True)[:size]]

    read = with_unowned if beside_older else owned

    posts = paging.page(sorted(months, reverse=True), start, PAGE_SIZE + 1, read)
    if len(posts) <= PAGE_SIZE:
        return tuple(posts), None
    shown = tuple(posts[:PAGE_SIZE])
    last = paging.Position(month_of(shown[-1].created), shown[-1].id)
    older = by_name.cursor(session, account, last) if beside_older else None
    return shown, older or paging.cursor(last, account.id)


def _position(cursor: str, account: Account) -> paging.Position:
    try:
        return paging.position(cursor, account.id)
    except paging.BadCursor:
        return by_name.position(cursor, account.name)


def accounts() -> set[int]:
    """All that have posts, but for nobody."""
    rows = store.read(store.connected(), "select_accounts")
    return {row.account for row in rows} - {NOBODY}


def remove(account: Account, left: datetime) -> None:
    """All posts of an account that went away then, under each name that it had.

    May be repeated. A later account of the same name keeps its own. Without a name, what an older
    release wrote for it stays.
    """
    session = store.connected()
    if account.name and not by_name.all_owned(session):
        by_name.remove_unowned(session, account, left)
    for row in store.read(session, "select_months", account.id):
        by_its_name = defaultdict(list)
        for post in store.read(session, "select_written", account.id, row.month):
            by_its_name[post.written_as].append(post.id)
        for name, ids in by_its_name.items():
            by_name.remove(session, name, row.month, ids, left)
        store.write(session, ("delete_posts", (account.id, row.month)))
    store.write(session, ("delete_months", (account.id,)))
