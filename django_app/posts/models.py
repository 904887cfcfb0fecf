"""What MySQL keeps for the posts: which accounts went away whose posts are still there."""

from django.db import models


class RemovedAccount(models.Model):
    """Written with the account's removal, in one transaction; gone once its posts are."""

    account = models.BigIntegerField()
    username = models.CharField(max_length=150)
    removed = models.DateTimeField(auto_now_add=True)
