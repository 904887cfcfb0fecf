"""Has posts go with their accounts, and sessions know of them."""

from django.apps import AppConfig


class PostsConfig(AppConfig):
    name = "posts"

    def ready(self) -> None:
        # Not before the models of all applications are there.
        from posts import months, removal  # noqa: F401, PLC0415
