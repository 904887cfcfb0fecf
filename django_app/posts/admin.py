"""Accounts in the administration: what goes with one is said before it goes."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

User = get_user_model()
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    def get_deleted_objects(
        self, objs: QuerySet[Model], request: HttpRequest
    ) -> tuple[list[object], dict[str, int], set[str], list[object]]:
        """Posts are in Cassandra, where Django does not look for what belongs to an account."""
        shown, counts, lacking, protected = super().get_deleted_objects(objs, request)
        posts = [
            format_html("All posts of {}, within a minute", account.get_username())
            for account in objs
        ]
        return [*shown, *posts], counts, lacking, protected
