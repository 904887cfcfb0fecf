"""Removes the posts of accounts that were removed, as soon as Cassandra can be reached.

That they have to go is noted in MySQL with the account's removal, so that neither a crash nor an
outage of Cassandra leaves them. Each Django looks for such notes; which of them does it is open.
"""

import logging
import threading

from django.contrib.auth import get_user_model
from django.db import Error, close_old_connections, transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from posts import by_account
from posts.models import RemovedAccount
from posts.store import Account, StoreUnavailable
from project.causal import PRIMARY

# Seconds between two looks. Whoever removed an account may expect its posts gone in a minute.
PAUSE = 15.0

logger = logging.getLogger(__name__)


@receiver(pre_delete, sender=get_user_model())
def note(instance: object, using: str, **kwargs: object) -> None:
    """Django deletes the account in the same transaction."""
    RemovedAccount.objects.using(using).create(
        account=instance.pk, username=instance.get_username()
    )


def work_off() -> int:
    """Removes the posts of all accounts noted; how many accounts those were.

    Raises StoreUnavailable, and then has lost no note.
    """
    done = 0
    while True:
        with transaction.atomic(using=PRIMARY):
            noted = RemovedAccount.objects.using(PRIMARY).select_for_update(skip_locked=True)
            removed = noted.first()
            if removed is None:
                return done
            by_account.remove(Account(removed.account, removed.username), removed.removed)
            removed.delete()
        done += 1


def go_on_working_off() -> None:
    """Until the process ends, in a thread of its own."""
    threading.Thread(target=_look_again_and_again, name="removal", daemon=True).start()


def _look_again_and_again() -> None:
    ending = threading.Event()
    while True:
        close_old_connections()
        try:
            if done := work_off():
                logger.info("the posts of %d removed accounts are gone", done)
        except (StoreUnavailable, Error) as error:
            logger.warning("removed accounts' posts stay for now: %s", error)
        ending.wait(PAUSE)
