"""Has posts go with their accounts."""

from django.apps import AppConfig


class PostsConfig(AppConfig):
    name = "posts"

    def ready(self) -> None:
        # Not before the models of all applications are there.
        from posts import removal  # noqa: F401, PLC0415
