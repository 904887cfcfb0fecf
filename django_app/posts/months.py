"""The months in which an account has posts, as its user's session knows them.

Pages need them, and they seldom change. They are asked for when the user signs in, which writes the
session anyway; what began since follows from the time. Without them each page asks.
"""

from datetime import UTC, datetime

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest

from posts import by_account, paging
from posts.store import Account, StoreUnavailable

KEY = "months"


@receiver(user_logged_in)
def note(request: HttpRequest, user: object, **kwargs: object) -> None:
    # Before they are asked for, not after.
    now = datetime.now(UTC)
    try:
        months = by_account.listed_months(Account(user.pk, user.get_username(), user.date_joined))
    except StoreUnavailable:
        return
    if months is not None:
        request.session[KEY] = [now.timestamp(), months]


def known(session: SessionBase) -> list[int] | None:
    """All in which there may be posts, newest first; None if the session does not know."""
    if KEY not in session:
        return None
    asked, months = session[KEY]
    return paging.months_since(datetime.fromtimestamp(asked, UTC), months, datetime.now(UTC))
