"""What a rehearsal needs and an application rarely offers: a slow answer and a failing one.

For administrators alone, as whoever asks holds a worker for seconds; the lab's own account may ask
for the failing one.
"""

import time

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import user_passes_test
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from project.setup.mysql import PROBE

LONGEST = 20  # seconds, below uWSGI's harakiri


class Rehearsed(Exception):
    """The failure that was asked for."""


@require_safe
@staff_member_required
def slow(request: HttpRequest) -> HttpResponse:
    try:
        seconds = float(request.GET.get("seconds", ""))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST:
        raise BadRequest(f"seconds should be a number from 0 to {LONGEST}")
    time.sleep(seconds)
    return HttpResponse(f"answered after {seconds:g} s\n", content_type="text/plain")


def may_fail(user: User) -> bool:
    return user.is_active and (user.is_staff or user.get_username() == PROBE)


@require_safe
@user_passes_test(may_fail, login_url="admin:login")
def fail(request: HttpRequest) -> HttpResponse:
    raise Rehearsed("as was asked for")
