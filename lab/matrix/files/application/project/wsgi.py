"""What uWSGI calls, in each of its processes: they load it apart (lazy-apps)."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
