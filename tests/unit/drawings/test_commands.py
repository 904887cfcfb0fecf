"""The commands of each mode, as docs/modes.md shows them."""

import pytest

from lab.config.modes import MODES, OVERLAY
from lab.drawings import commands, write
from tests.unit.delivered import LAB


def test_the_page_shows_what_the_lab_as_delivered_is_started_by(tmp_path):
    """Red? `fab diagram`, and look at what it changed."""
    copy = tmp_path / "modes.md"
    copy.write_text(write.PAGE.read_text())
    assert not write.show_commands(LAB, copy)


@pytest.mark.parametrize("mode", [*MODES, OVERLAY])
def test_the_page_has_a_place_for_every_mode(mode):
    assert write.PAGE.read_text().count(commands.SHOWN.format(mode)) == 1


def test_they_begin_on_an_empty_node():
    lines = dict(commands.commands(LAB))["unix-socket"].replace(" \\\n   ", "").splitlines()
    assert lines[:2] == [
        "# on ubuntu1",
        "docker volume create --label lab.disposable=yes webapp_static",
    ]
    assert [(line.split()[6], line.split()[-1]) for line in lines[2:]] == [
        ("django-unix-socket-1", "ubuntu1:5000/webapp_django:TAG"),
        ("nginx-unix-socket-1", "ubuntu1:5000/webapp_nginx:TAG"),
    ]


def test_an_address_that_only_the_node_knows_is_asked_for():
    lines = dict(commands.commands(LAB))["default-bridge"].replace(" \\\n   ", "").splitlines()
    assert lines[3] == (
        "address=$(docker inspect --format"
        " '{{with .NetworkSettings.Networks.bridge}}{{.IPAddress}}{{end}}' django-default-bridge-1)"
    )
    assert '--env UWSGI_URI="$address":29000' in lines[4]


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("docker volume create data", ["docker volume create data"]),
        (
            f"docker run --name {'a' * 60} --network bridge --read-only image",
            [f"docker run --name {'a' * 60} --network bridge \\", "    --read-only image"],
        ),
    ],
)
def test_long_lines_go_on_in_front_of_an_option(line, rows):
    assert commands.wrapped(line).splitlines() == rows


def test_a_mode_that_lab_yml_has_no_place_for_says_so():
    page = f"{commands.SHOWN.format('overlay')}\nold\n{commands.END}\nmore\n"
    assert commands.filled(page, {}) == (
        f"{commands.SHOWN.format('overlay')}\n```sh\n# lab.yml has no place for it\n```\n"
        f"{commands.END}\nmore\n"
    )
