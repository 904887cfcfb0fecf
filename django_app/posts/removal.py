"""Removes the posts of accounts that were removed, as soon as Cassandra can be reached.

That they have to go is noted in MySQL with the account's removal, so that neither a crash nor an
outage of Cassandra leaves them. Each Django looks for such notes, and removing may be repeated.
"""

import logging
import threading
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.db import Error, close_old_connections
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from posts import by_account
from posts.models import RemovedAccount
from posts.store import Account, StoreUnavailable
from project.causal import PRIMARY

# Seconds between two looks. Whoever removed an account may expect its posts gone in a minute.
PAUSE = 15.0
# A request that was let in before may write a post until it is ended itself (uwsgi.ini: 30 s).
SETTLED = timedelta(seconds=35)

logger = logging.getLogger(__name__)


@receiver(pre_delete, sender=get_user_model())
def note(instance: object, using: str, **kwargs: object) -> None:
    """Django deletes the account in the same transaction."""
    RemovedAccount.objects.using(using).create(
        account=instance.pk, username=instance.get_username()
    )


def work_off(settled: timedelta = SETTLED) -> int:
    """Removes the posts of all accounts noted; how many notes are done with.

    settled: how long a note stays after the account went. Raises the last of what went wrong; its
    note stays.
    """
    done, failed = 0, None
    for removed in RemovedAccount.objects.using(PRIMARY).order_by("pk"):
        try:
            by_account.remove(Account(removed.account, removed.username), removed.removed)
        except StoreUnavailable as error:
            failed = error
            continue
        if timezone.now() - removed.removed >= settled:
            removed.delete()
            done += 1
    if failed:
        raise failed
    return done


def note_gone() -> int:
    """Notes each account that has posts and is not there: an older release removes accounts without
    a note, and a restored backup may have posts of accounts that were removed meanwhile."""
    having = by_account.accounts()
    there = get_user_model().objects.using(PRIMARY).filter(pk__in=having)
    gone = having - set(there.values_list("pk", flat=True))
    notes = [RemovedAccount(account=account, username="") for account in sorted(gone)]
    RemovedAccount.objects.using(PRIMARY).bulk_create(notes)
    return len(notes)


def go_on_working_off() -> None:
    """Until the process ends, in a thread of its own."""
    threading.Thread(target=_look_again_and_again, name="removal", daemon=True).start()


def _look_again_and_again() -> None:
    ending = threading.Event()
    while True:
        try:
            close_old_connections()
            if done := work_off():
                logger.info("the posts of %d removed accounts are gone", done)
        except (StoreUnavailable, Error) as error:
            logger.warning("removed accounts' posts stay for now: %s", error)
        except Exception:
            logger.exception("removed accounts' posts stay for now")
        ending.wait(PAUSE)
