"""The article's addresses, without those that are not asked for: signing in and writing.

/uwsgi_health is the container's health check.
"""

from django.contrib import admin
from django.http import HttpResponse
from django.urls import re_path
from django.views.generic import RedirectView
from posts import views

urlpatterns = [
    re_path(r"^admin/", admin.site.urls),
    re_path(r"^posts/$", views.index, name="posts_index"),
    re_path(r"^posts/list", views.list_posts, name="posts_list"),
    re_path(r"^$", RedirectView.as_view(url="/posts/")),
    re_path(r"^uwsgi_health$", lambda request: HttpResponse("ok\n")),
]
