"""The application's addresses; /uwsgi_health and /ready are in health.py."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from project import rehearsal

handler400 = "project.errors.bad_request"
handler403 = "project.errors.forbidden"
handler404 = "project.errors.not_found"
handler500 = "project.errors.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="posts:list")),
    path("posts/", include("posts.urls")),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/rehearsal/slow", rehearsal.slow),
    path("admin/rehearsal/fail", rehearsal.fail),
    path("admin/", admin.site.urls),
]
