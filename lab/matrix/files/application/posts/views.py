"""The article's views of posts."""

from django.contrib.auth.decorators import login_required
from django.shortcuts import redirect, render

from posts.models_cassandra import PostModel


def index(request):
    return redirect("posts_list")


@login_required
def list_posts(request):
    posts = PostModel.select_user_latest_with_date(request.user.pk)
    return render(request, "posts/list.html", {"posts": posts})
