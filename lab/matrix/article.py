"""What the lab's own web is compared with: the article's application, and the article's settings.

The article is "Docker III: The Django/uWSGI/Nginx Web App", by nicomak; its sources, which show
what it leaves out, are SOURCES. Pure: two literal tables, and what a node runs of them.

What is laid (files/) is in the article's shape and in today's words: Django 6.1 instead of 1.9.2,
and so on, in the images of the lab. So the two differ from the lab's own in what the table says,
and not in the versions of what both stand on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lab.config.ports import UWSGI_PORT
from lab.config.topology import WebService
from lab.plan.modes import web
from lab.plan.records import Container, File, Mount, Plan, Publication
from lab.plan.site import Site
from lab.release.images import left_out

SOURCES = "https://github.com/nicomak/blog/blob/076d9d77f9411e632bc7fb8691996d8572df8292/docker/{}"

NETWORK = "article"
FOLDER, SEEN_AT = "/etc/lab/article", "/srv/article"
FILES = Path(__file__).parent / "files"
NGINX = "nginx.conf.template"
# As the article starts it; its log is a link to the same place.
EMPEROR = (
    *("uwsgi", "--emperor", f"{SEEN_AT}/uwsgi"),
    *("--gid", "www-data", "--logto", "/dev/stdout"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One web service beside the lab's own.

    port: of the node; application: its folder in the container; settings: Django's module.
    """

    name: str
    what: str
    port: int
    application: str
    settings: str


ROWS = {
    row.name: row
    for row in (
        Row(
            "article-application",
            "the article's own application",
            8081,
            f"{SEEN_AT}/application",
            "project.settings",
        ),
        Row(
            "article-configuration",
            "this application in the article's configuration",
            8082,
            "/app",
            "article_configuration",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Setting:
    """source: where the article has it, below SOURCES; both: whether it is in either row, or else
    in the article's own application alone."""

    part: str
    article: str
    own: str
    source: str
    both: bool = True


DJANGO = "webapp_django"
SETTINGS = (
    Setting(
        "uWSGI",
        "below an emperor: `uwsgi --emperor`",
        "by itself: `uwsgi --ini`",
        f"{DJANGO}/Dockerfile#L38",
    ),
    Setting(
        "uWSGI",
        "four processes, each loads the application: `lazy-apps = true`",
        "four processes, forked from one that has loaded it",
        f"{DJANGO}/files_uwsgi/djangoapp.ini#L11",
    ),
    Setting(
        "uWSGI",
        "no `thunder-lock`, no `enable-threads`",
        "`thunder-lock = true`, `enable-threads = true`",
        f"{DJANGO}/files_uwsgi/djangoapp.ini",
    ),
    Setting(
        "uWSGI",
        "no `harakiri`, no `buffer-size`, nothing said of its end",
        "`harakiri = 30`, `buffer-size = 65535`, requests in flight are answered",
        f"{DJANGO}/files_uwsgi/djangoapp.ini",
    ),
    Setting(
        "logs",
        "a line of text each by uWSGI and nginx",
        "a line of JSON each by the application, with its statements, and by nginx",
        "webapp_nginx/nginx.conf.template#L32-L36",
    ),
    Setting(
        "nginx",
        "finds Django once, at its start: `upstream`",
        "looks for its name again every 2 s; time-outs, a page of its own when it is away",
        "webapp_nginx/nginx.conf.template#L61-L63",
    ),
    Setting(
        "nginx",
        "`gzip on`, which browsers ask for and the load here does not",
        "pages as they are, static files compressed beforehand",
        "webapp_nginx/nginx.conf.template#L52",
    ),
    Setting(
        "MySQL",
        "connected to anew for each database and request",
        "`CONN_MAX_AGE = 60`, each tried before it is used; time-outs",
        f"{DJANGO}/files_django/project/settings.py#L112-L133",
    ),
    Setting(
        "Django",
        "`DEBUG = True`",
        "`DEBUG = False`",
        f"{DJANGO}/files_django/project/settings.py#L26",
    ),
    Setting(
        "templates",
        "read anew for each page",
        "kept once they are read",
        f"{DJANGO}/files_django/project/settings.py#L90-L104",
    ),
    Setting(
        "MySQL",
        "always the replicas for reads",
        "a replica if it has what the user has written, else the primary",
        f"{DJANGO}/files_django/project/routers.py",
        both=False,
    ),
    Setting(
        "Cassandra",
        "LOCAL_ONE, the driver's default; a session when the model is imported",
        "LOCAL_QUORUM, another replica where one is late, once more after a time-out",
        f"{DJANGO}/files_django/posts/models_cassandra.py#L13",
        both=False,
    ),
    Setting(
        "Cassandra",
        "one statement a list, as text",
        "prepared ones: the account's months, then its posts",
        f"{DJANGO}/files_django/posts/models_cassandra.py#L34-L39",
        both=False,
    ),
    Setting(
        "page",
        "a bare table",
        "a page to be read, in parts, with its origin, its request's id and a policy for scripts",
        f"{DJANGO}/files_django/posts/templates/posts/list.html",
        both=False,
    ),
)

HEADER = ("of", "in the article", "here", "in")


def settings_table() -> str:
    """As Markdown."""
    lines = [HEADER, tuple("---" for _ in HEADER), *map(_cells, SETTINGS)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(setting: Setting) -> tuple[str, ...]:
    link = f"[{setting.article}]({SOURCES.format(setting.source)})"
    where = "both rows" if setting.both else "its own application"
    return setting.part, link, setting.own, where


def plan(site: Site, service: WebService, names: tuple[str, ...], month: int) -> Plan:
    """Some rows beside a web service of the lab, on the same node and with the same limits.

    month: whose posts the article's application lists, such as 202611.
    """
    containers: list[Container] = []
    for row in map(ROWS.__getitem__, names):
        django = _django(site, service, row, month)
        containers += django, _nginx(site, service, row, f"{django.name}:{UWSGI_PORT}")
    return Plan(tuple(containers), networks=(NETWORK,))


def _django(site: Site, service: WebService, row: Row, month: int) -> Container:
    own = web.django(site, service, network=NETWORK)
    told = {
        "APP_MODE": row.name,
        "APP_FOLDER": row.application,
        "ARTICLE_MONTH": str(month),
        "DJANGO_SETTINGS_MODULE": row.settings,
    }
    return replace(
        own,
        name=web.name("django", row.name),
        mode=row.name,
        environment=tuple((dict(own.environment) | told).items()),
        mounts=(*own.mounts, Mount(FOLDER, SEEN_AT)),
        reads=(*own.reads, *laid()),
        command=EMPEROR,
    )


def laid() -> tuple[File, ...]:
    """What stands in FOLDER but for nginx's configuration, which tells the rows apart."""
    paths = (path for path in sorted(FILES.rglob("*")) if path.is_file() and path.name != NGINX)
    inside = ((path, path.relative_to(FILES)) for path in paths)
    return tuple(
        File(f"{FOLDER}/{name}", path.read_text()) for path, name in inside if not left_out(name)
    )


def _nginx(site: Site, service: WebService, row: Row, uwsgi: str) -> Container:
    own = web.nginx(site, service, uwsgi, network=NETWORK)
    text = (FILES / NGINX).read_text().replace("{{UWSGI_URI}}", uwsgi)
    file = File(f"{FOLDER}/{row.name}.conf", text.replace("{{PORT}}", str(row.port)))
    return replace(
        own,
        name=web.name("nginx", row.name),
        mode=row.name,
        publications=(Publication(site.topology.address(service.nginx), row.port),),
        mounts=(*own.mounts, Mount(FOLDER, SEEN_AT)),
        # Where nginx lays bodies aside unless it is told otherwise.
        temporary=(*own.temporary, "/var/lib/nginx:mode=1777"),
        reads=(file,),
        command=("nginx", "-c", f"{SEEN_AT}/{row.name}.conf", "-g", "daemon off;"),
    )
