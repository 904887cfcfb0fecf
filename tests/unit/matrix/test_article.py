"""What stands beside the lab's own web for a comparison, as literal tables."""

import pytest

from lab.config.paths import FOLDER
from lab.engine import difference
from lab.engine.observation import Observation, Running
from lab.engine.steps import CreateNetwork, Remove, RemoveFolder, RemoveNetwork, Start, run
from lab.matrix import article
from lab.matrix.article import ROWS
from lab.plan import plans
from lab.plan.records import Plan, Publication
from tests.unit.delivered import LAB
from tests.unit.plan.test_plans import SITE

SERVICE = LAB.web[1]
OWN = plans.plan(SITE, "ubuntu2")

# (file below lab/matrix/files, what the article has there, or must not be there)
SAID = [
    ("uwsgi/djangoapp.ini", "processes = 4", True),
    ("uwsgi/djangoapp.ini", "lazy-apps = true", True),
    ("uwsgi/djangoapp.ini", "socket = :29000", True),
    *(
        ("uwsgi/djangoapp.ini", absent, False)
        for absent in ("enable-threads", "thunder-lock", "harakiri", "buffer-size", "hook-")
    ),
    ("nginx.conf.template", "gzip on;", True),
    ("nginx.conf.template", "upstream uwsgi_server", True),
    ("nginx.conf.template", "uwsgi_pass uwsgi_server;", True),
    ("nginx.conf.template", "resolver", False),
    ("configuration/article_configuration.py", "DEBUG = True", True),
    ("configuration/article_configuration.py", '"CONN_MAX_AGE"] = 0', True),
    ("configuration/article_configuration.py", "timeout", False),
    ("configuration/article_configuration.py", "cached", False),
    ("application/project/settings.py", "DEBUG = True", True),
    ("application/project/settings.py", "CONN_MAX_AGE", False),
    ("application/project/settings.py", "cached", False),
    ("application/project/routers.py", 'return "read_only"', True),
    ("application/posts/models_cassandra.py", "class PostModel(Model)", True),
    ("application/posts/models_cassandra.py", "consistency", False),
    ("application/posts/models_cassandra.py", "prepare", False),
    ("application/posts/models_cassandra.py", "LIMIT 20", True),
]
# (file of the lab's own, what the table says of it)
OWN_SAID = [
    ("images/webapp_django/uwsgi.ini", "thunder-lock = true"),
    ("images/webapp_django/uwsgi.ini", "enable-threads = true"),
    ("images/webapp_django/uwsgi.ini", "harakiri = 30"),
    ("images/webapp_django/uwsgi.ini", "buffer-size = 65535"),
    ("images/webapp_django/uwsgi.ini", "processes = 4"),
    ("images/webapp_nginx/nginx.conf", "valid=2s"),
    ("django_app/project/settings.py", '"CONN_MAX_AGE": 60'),
    ("django_app/project/settings.py", "DEBUG = False"),
    ("django_app/posts/cluster.py", "ConsistencyLevel.LOCAL_QUORUM"),
    ("django_app/posts/cluster.py", "speculative_execution_policy=Hedging()"),
    ("django_app/posts/by_account.py", "PAGE_SIZE = 20"),
]


def beside(*names):
    return OWN + article.plan(SITE, SERVICE, names, 202611)


def added(*names):
    return {c.name: c for c in beside(*names).containers if c not in OWN.containers}


@pytest.mark.parametrize(("path", "text", "there"), SAID)
def test_what_is_laid_has_what_the_article_has_and_no_more(path, text, there):
    assert (text in (article.FILES / path).read_text()) == there


@pytest.mark.parametrize(("path", "text"), OWN_SAID)
def test_the_lab_s_own_is_as_the_table_says(path, text):
    assert text in (FOLDER / path).read_text()


def test_both_rows_are_four_containers_with_the_lab_s_limits_each_pair_on_its_port():
    found = added(*ROWS)
    assert list(found) == [
        "django-article-application-1",
        "nginx-article-application-1",
        "django-article-configuration-1",
        "nginx-article-configuration-1",
    ]
    assert [c.publications for c in found.values()] == [
        (),
        (Publication("192.168.56.12", 8081),),
        (),
        (Publication("192.168.56.12", 8082),),
    ]
    own = {c.service: c for c in OWN.containers}
    for container in found.values():
        assert container.network == "article"
        assert container.image == own[container.service].image
        assert container.limit == own[container.service].limit


# Row, what its Django is told beside what the lab's own is told.
TOLD = {
    "article-application": ("/srv/article/application", "project.settings"),
    "article-configuration": ("/app", "article_configuration"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_started_as_in_the_article_with_the_lab_s_addresses(name):
    own = {c.service: dict(c.environment) for c in OWN.containers}["django"]
    django = added(name)[f"django-{name}-1"]
    folder, settings = TOLD[name]
    assert dict(django.environment) == own | {
        "APP_MODE": name,
        "APP_FOLDER": folder,
        "ARTICLE_MONTH": "202611",
        "DJANGO_SETTINGS_MODULE": settings,
    }
    assert run(django)[-8:] == (
        *(django.image, "uwsgi", "--emperor", "/srv/article/uwsgi"),
        *("--gid", "www-data", "--logto", "/dev/stdout"),
    )


@pytest.mark.parametrize("name", ROWS)
def test_its_nginx_is_told_its_django_and_its_port(name):
    nginx = added(name)[f"nginx-{name}-1"]
    (file,) = nginx.reads
    assert file.path == f"/etc/lab/article/{name}.conf"
    assert f"server django-{name}-1:29000;" in file.content
    assert f"listen {ROWS[name].port} default_server;" in file.content
    assert "{{" not in file.content
    assert run(nginx)[-5:] == (
        *("nginx", "-c", f"/srv/article/{name}.conf"),
        *("-g", "daemon off;"),
    )


def running(container):
    c = container
    return Running(c.name, c.service, c.mode, c.image, "running", "healthy", c.digest)


def observed(plan):
    """A node on which all of a plan runs well."""
    files = {file.path: file.digest for file in (*difference.files(plan), *difference.notes(plan))}
    return Observation(
        containers={c.name: running(c) for c in plan.containers},
        networks=frozenset(plan.networks),
        disposable_volumes=frozenset({"webapp_static"}),
        volumes=frozenset({"webapp_static", "mysql_data", "cassandra_data"}),
        images=frozenset(plan.images),
        folders=plan.folders & {"/etc/lab/article", "/etc/lab/release"},
        files=files,
    )


def test_the_lab_s_own_containers_are_left_alone_when_the_rows_come_and_go():
    came = difference.difference(beside(*ROWS), observed(OWN), plans.WEB)
    assert [type(step) for step in came.steps] == [CreateNetwork, *[Start] * 4]
    went = difference.difference(OWN, observed(beside(*ROWS)), plans.WEB)
    assert [type(step) for step in went.steps] == [*[Remove] * 4, RemoveNetwork, RemoveFolder]
    assert {step.name for step in went.steps[:4]} == set(added(*ROWS))
    assert (went.steps[4].network, went.steps[5].folder) == ("article", "/etc/lab/article")


def test_what_is_laid_is_what_lies_there_and_is_no_secret():
    names = {file.path.removeprefix("/etc/lab/article/") for file in article.laid()}
    assert names == {
        "uwsgi/djangoapp.ini",
        "configuration/article_configuration.py",
        *(
            f"application/project/{n}.py"
            for n in ("__init__", "routers", "settings", "urls", "wsgi")
        ),
        *(f"application/posts/{n}.py" for n in ("__init__", "models_cassandra", "views")),
        *(f"application/posts/templates/posts/{n}.html" for n in ("base", "list")),
    }
    kept = {file.content for file in Plan((added("article-application").popitem()[1],)).all_files}
    assert not kept & set(SITE.secrets.values())


def test_the_documentation_has_the_table_of_settings():
    text = article.settings_table()
    assert text.count("\n") == 2 + len(article.SETTINGS)
    assert text in (FOLDER / "docs/matrix.md").read_text()
