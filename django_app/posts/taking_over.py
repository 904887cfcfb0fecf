"""What the commands that take posts over have in common."""

from collections import Counter
from collections.abc import Iterable

from django.contrib.auth import get_user_model

from posts.schema import NOBODY
from project.causal import PRIMARY

# Seconds for one statement, of which some read a whole month.
SLOW = 10.0
# Names in one question to MySQL.
SOME = 1000


def ids_by_name(names: Iterable[str]) -> dict[str, int]:
    """Of the accounts that have exactly these names: MySQL takes 'Ann' for 'ann'."""
    wanted = sorted(names)
    found: dict[str, int] = {}
    for start in range(0, len(wanted), SOME):
        some = wanted[start : start + SOME]
        accounts = get_user_model().objects.using(PRIMARY).filter(username__in=some)
        found |= dict(accounts.values_list("username", "pk"))
    return {name: found[name] for name in wanted if name in found}


def told(taken: Counter[int]) -> str:
    """account to posts, in words."""
    nobodys = taken[NOBODY]
    accounts = len(taken) - (1 if nobodys else 0)
    return f"{taken.total() - nobodys} taken over by {accounts} accounts, {nobodys} by nobody"
