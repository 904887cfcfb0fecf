"""The posts of an account: writing, listing, removing them."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from posts import by_name, paging, store
from posts.ids import EARLIEST, age, month_of, time_of
from posts.schema import NOBODY
from posts.store import Account, Post, Store

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


def page(
    account: Account, cursor: str | None, months: Sequence[int] | None = None
) -> tuple[tuple[Post, ...], str | None]:
    """The account's posts from a cursor on (None: the newest), and the cursor of the next page.

    months: newest first, all in which there may be any; None if that is to be asked for. Raises
    paging.BadCursor.
    """
    start = None if cursor is None else _position(cursor, account)
    session = store.connected()
    first = start or paging.top(months, datetime.now(UTC))
    # All at the same time. A page is seldom longer than the month that it begins in.
    sent = [("select_posts", (account.id, first.month, first.last, PAGE_SIZE + 1))]
    if months is None:
        sent.append(("select_months", (account.id,)))
    owned, (rows, *listed) = by_name.beside(session, *sent)
    if not owned:
        return _page_beside_older(session, account, start)
    if listed:
        months = [row.month for row in listed[0]]
    posts = [_post(row) for row in rows]
    if len(posts) <= PAGE_SIZE:
        older = [month for month in months if month < first.month]
        posts += paging.page(older, None, PAGE_SIZE + 1 - len(posts), _reader(session, account))
    shown, last = _shown(posts)
    return shown, last and paging.cursor(last, account.id)


def _page_beside_older(
    session: Store, account: Account, start: paging.Position | None
) -> tuple[tuple[Post, ...], str | None]:
    """While an older release may serve."""
    months = by_name.months(session, account)
    months |= {row.month for row in store.read(session, "select_months", account.id)}
    owned = _reader(session, account)

    def read(month: int, before: uuid.UUID, size: int) -> list[Post]:
        posts = owned(month, before, size)
        bottom = posts[-1].id if len(posts) == size else EARLIEST
        others = by_name.unowned(session, account, month, before, bottom=bottom, size=size)
        # Once more: those that were taken over meanwhile are there now, and may be missing above.
        found = {post.id: post for post in (*others, *owned(month, before, size))}
        return [found[one] for one in sorted(found, key=age, reverse=True)[:size]]

    posts = paging.page(sorted(months, reverse=True), start, PAGE_SIZE + 1, read)
    shown, last = _shown(posts)
    if last is None:
        return shown, None
    return shown, by_name.cursor(session, account, last) or paging.cursor(last, account.id)


def _reader(session: Store, account: Account) -> paging.ReadMonth[Post]:
    def read(month: int, before: uuid.UUID, size: int) -> list[Post]:
        rows = store.read(session, "select_posts", account.id, month, before, size)
        return [_post(row) for row in rows]

    return read


def _post(row: Any) -> Post:
    return Post(row.id, time_of(row.id), row.content)


def _shown(posts: Sequence[Post]) -> tuple[tuple[Post, ...], paging.Position | None]:
    """One page of them, and where it ends if there are more."""
    if len(posts) <= PAGE_SIZE:
        return tuple(posts), None
    last = posts[PAGE_SIZE - 1]
    return tuple(posts[:PAGE_SIZE]), paging.Position(month_of(last.created), last.id)


def listed_months(account: Account) -> list[int] | None:
    """Those in which the account has posts, newest first. None while an older release may serve,
    whose months are others."""
    owned, (rows,) = by_name.beside(store.connected(), ("select_months", (account.id,)))
    return [row.month for row in rows] if owned else None


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
