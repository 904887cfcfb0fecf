"""The signed-in user's posts: listing and writing them."""

import uuid
from datetime import UTC, datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_safe

from posts import by_account, ids, months, paging
from posts.forms import PostForm
from posts.store import Account


@require_safe
@never_cache
@login_required
def listing(request: HttpRequest) -> HttpResponse:
    cursor = request.GET.get("from")
    try:
        posts, older = by_account.page(account_of(request), cursor, months.known(request.session))
    except paging.BadCursor:
        raise BadRequest("damaged cursor") from None
    context = {"posts": posts, "older": older, "newest": cursor is None}
    return render(request, "posts/list.html", context)


# Not never_cache: "no-store" would cost the text of whoever goes back to a form that failed.
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
@login_required
def create(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return form_page(request, PostForm())
    form = PostForm(request.POST)
    if not form.is_valid():
        return form_page(request, form)
    try:
        identity = identity_of(request)
    except ids.Refused as refused:
        form.add_error(None, f"{refused} Your text is still here: please send it again.")
        return form_page(request, form, status=400)
    content = form.cleaned_data["content"]
    by_account.add(account_of(request), ids.with_content(identity, content), content)
    messages.success(request, "Posted.")
    return redirect("posts:list")


def account_of(request: HttpRequest) -> Account:
    user = request.user
    return Account(user.pk, user.get_username(), user.date_joined)


def identity_of(request: HttpRequest) -> uuid.UUID:
    token = request.POST.get("issued")
    if token is None:
        return ids.new_id()
    return ids.accepted(token, request.user.get_username(), datetime.now(UTC))


def form_page(request: HttpRequest, form: PostForm, status: int = 200) -> HttpResponse:
    issued = ids.issued(ids.new_id(), request.user.get_username())
    return render(request, "posts/create.html", {"form": form, "issued": issued}, status=status)
