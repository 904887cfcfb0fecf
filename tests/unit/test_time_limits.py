"""What bounds a request: each program gives up before the one that waits for it."""

import configparser
import re

from lab.config.paths import FOLDER
from lab.plan.modes import web

UWSGI = FOLDER / "images" / "webapp_django" / "uwsgi.ini"
NGINX = FOLDER / "images" / "webapp_nginx" / "nginx.conf"


def test_a_request_is_ended_before_nginx_gives_up_and_that_before_docker_kills():
    # Two lines have the same name.
    parser = configparser.RawConfigParser(strict=False)
    parser.read(UWSGI)
    uwsgi = parser["uwsgi"]
    assert uwsgi["harakiri"] == "30"
    assert re.findall(r"uwsgi_read_timeout (\d+)s;", NGINX.read_text()) == ["35"]
    assert web.STOP_SECONDS == 40


def test_no_request_shares_its_process_whose_one_timer_the_other_would_clear():
    parser = configparser.RawConfigParser(strict=False)
    parser.read(UWSGI)
    assert (parser["uwsgi"]["processes"], parser["uwsgi"].get("threads", "1")) == ("4", "1")
    # Without it the Cassandra driver's own threads never run.
    assert parser["uwsgi"]["enable-threads"] == "true"
