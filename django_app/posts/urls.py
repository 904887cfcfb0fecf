"""The addresses below /posts/."""

from django.urls import path

from posts import views

app_name = "posts"
urlpatterns = [
    path("", views.listing, name="list"),
    path("list", views.listing),
    path("create", views.create, name="create"),
]
