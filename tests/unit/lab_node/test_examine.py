"""Many commands at the same time, some of which hang."""

import json
import time

import pytest

from lab_node import examine

CONTAINERS = [
    {
        "Name": f"/{name}",
        "Config": {"Labels": {"lab.service": service}},
        "State": {"Status": status},
    }
    for name, service, status in (
        ("django-1", "django", "running"),
        ("django-2", "django", "running"),
        ("django-3", "django", "exited"),
        ("mysql", "mysql", "running"),
    )
]


def answer(*argv, own=4.0, seconds=5.0):
    return examine.answer(list(argv), own, time.monotonic() + seconds)


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (("echo", "well"), (0, "well\n", "")),
        (("sh", "-c", "echo out; echo no >&2; exit 7"), (7, "out\n", "no\n")),
        (("printf", r"\377"), (0, "\N{REPLACEMENT CHARACTER}", "")),
        (("cat",), (0, "", "")),
        (
            ("no-such-command",),
            (127, "", "[Errno 2] No such file or directory: 'no-such-command'"),
        ),
    ],
)
def test_a_command_s_answer_is_its_status_and_what_it_said(argv, wanted):
    assert answer(*argv) == wanted


def test_what_hangs_is_killed_with_all_that_it_started_and_what_it_said_is_told():
    began = time.monotonic()
    assert answer("sh", "-c", "echo first; sleep 30 & wait", seconds=0.3) == (None, "first\n", "")
    assert time.monotonic() < began + 5


def test_no_command_has_more_than_its_own_limit():
    assert answer("sleep", "30", own=0.2, seconds=60)[0] is None


def test_one_that_begins_when_the_time_is_over_has_a_moment():
    assert answer("echo", "well", seconds=-5) == (0, "well\n", "")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ((0, '[{"Name": "/a"}]', ""), [{"Name": "/a"}]),
        ((123, '[{"Name": "/a"}]', "no such container: b"), [{"Name": "/a"}]),
        ((1, "", "Cannot connect"), []),
        ((None, '[{"Name"', ""), []),
    ],
)
def test_containers_are_known_if_docker_told_of_them_whatever_its_status(said, wanted):
    assert examine.inspected(said) == wanted


def test_running_containers_of_a_service():
    assert examine.running(CONTAINERS, "django") == ["django-1", "django-2"]
    assert examine.running(CONTAINERS, "nginx") == []


def test_a_question_names_its_container():
    argv = ["docker", "exec", "CONTAINER", "echo", "CONTAINERS"]
    assert examine.in_container(argv, "a") == ["docker", "exec", "a", "echo", "CONTAINERS"]


@pytest.fixture
def told(command, monkeypatch, capsys):
    def examined(docker, asked):
        command("docker", docker)
        limited = {"seconds": 4, "all_seconds": 5.5, **asked}
        monkeypatch.setattr("sys.argv", ["lab-examine", json.dumps(limited)])
        examine.main()
        return json.loads(capsys.readouterr().out)

    return examined


def test_everything_is_told_in_one_object(told, tmp_path):
    (tmp_path / "inspected").write_text(json.dumps(CONTAINERS))
    docker = f"""case $1 in
      ps) echo c1; echo c2 ;;
      inspect) cat {tmp_path}/inspected; echo "$@" >&2; exit 1 ;;
      exec) echo "in $2" ;;
    esac"""
    asked = {
        "commands": {"a": ["echo", "a"], "b": ["false"]},
        "inside": {
            "django": {"x": ["docker", "exec", "CONTAINER", "true"]},
            "nginx": {"y": ["docker", "exec", "CONTAINER", "true"]},
        },
    }
    found = told(docker, asked)
    assert abs(found.pop("time") - time.time()) < 10
    assert found == {
        "docker": [0, "", "inspect c1 c2\n"],
        "containers": CONTAINERS,
        "answers": {"a": [0, "a\n", ""], "b": [1, "", ""]},
        "inside": [
            ["django-1", "x", [0, "in django-1\n", ""]],
            ["django-2", "x", [0, "in django-2\n", ""]],
        ],
    }


def test_a_docker_that_fails_is_told_beside_the_other_answers(told):
    found = told("echo 'Cannot connect' >&2; exit 1", {"commands": {"a": ["true"]}, "inside": {}})
    assert (found["docker"], found["containers"]) == ([1, "", "Cannot connect\n"], [])
    assert found["answers"] == {"a": [0, "", ""]}


@pytest.mark.parametrize("limit", ["seconds", "all_seconds"])
def test_how_long_they_have_is_for_who_asks_to_say(told, limit):
    asked = {"commands": {"a": ["sleep", "30"]}, "inside": {}, limit: 0.2}
    assert told("true", asked)["answers"] == {"a": [None, "", ""]}


def test_what_docker_calls_unhealthy_is_asked_again(told, tmp_path):
    """And has the status of now."""
    ill = [
        {
            "Name": f"/{name}",
            "Config": {"Labels": {"lab.service": name}, "Healthcheck": {"Test": ["CMD", "ask"]}},
            "State": {"Status": "running", "Health": {"Status": "unhealthy"}},
        }
        for name in ("well", "ill")
    ]
    (tmp_path / "inspected").write_text(json.dumps(ill))
    docker = f"""case $1 in
      ps) echo c1 ;;
      inspect) cat {tmp_path}/inspected ;;
      exec) [ "$2 $*" = "well exec well timeout --signal=KILL 3 ask" ] ;;
    esac"""
    found = told(docker, {"commands": {}, "inside": {}})["containers"]
    healths = {one["Name"]: one["State"]["Health"]["Status"] for one in found}
    assert healths == {"/well": "healthy", "/ill": "unhealthy"}
