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

from posts import ids, paging, store
from posts.forms import PostForm


@require_safe
@never_cache
@login_required
def listing(request: HttpRequest) -> HttpResponse:
    username = request.user.get_username()
    cursor = request.GET.get("from")
    try:
        start = None if cursor is None else paging.position(cursor, username)
        page = store.page(username, start)
    except paging.BadCursor:
        raise BadRequest("damaged cursor") from None
    older = paging.cursor(page.older, username) if page.older else None
    context = {"posts": page.rows, "older": older, "newest": start is None}
    return render(request, "posts/list.html", context)


# Not never_cache: "no-store" would cost the text of whoever goes back to a form that failed.
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
@login_required
def create(request: HttpRequest) -> HttpResponse:
    username = request.user.get_username()
    if request.method != "POST":
        return form_page(request, PostForm())
    form = PostForm(request.POST)
    if not form.is_valid():
        return form_page(request, form)
    try:
        identity = identity_of(request, username)
    except ids.Refused as refused:
        form.add_error(None, f"{refused} Your text is still here: please send it again.")
        return form_page(request, form, status=400)
    content = form.cleaned_data["content"]
    store.add(username, ids.with_content(identity, content), content)
    messages.success(request, "Posted.")
    return redirect("posts:list")


def identity_of(request: HttpRequest, username: str) -> uuid.UUID:
    token = request.POST.get("issued")
    if token is None:
        return ids.new_id()
    return ids.accepted(token, username, datetime.now(UTC))


def form_page(request: HttpRequest, form: PostForm, status: int = 200) -> HttpResponse:
    issued = ids.issued(ids.new_id(), request.user.get_username())
    return render(request, "posts/create.html", {"form": form, "issued": issued}, status=status)
