"""What lab-observe tells of a node whose Docker answers as one does."""

import json
from fnmatch import fnmatchcase
from types import SimpleNamespace

import pytest

from lab.plan.plans import registry_trust
from lab_node import docker, observe

CONTAINER = {
    "Name": "/mysql",
    "Config": {"Labels": {"lab.service": "mysql"}, "Healthcheck": {"Test": ["CMD", "ask"]}},
    "State": {"Status": "running", "Health": {"Status": "healthy"}},
}
VOLUMES = {"Volumes": [{"Name": "mysql_data"}, {"Name": "webapp_static"}], "Warnings": None}
IMAGES = [
    {"RepoTags": ["ubuntu1:5000/mysql:0dcb33749690", "mysql:latest"]},
    {"RepoTags": None},
    {"RepoTags": []},
]
SERVICES = [
    {
        "Spec": {"Name": "webapp_nginx"},
        "ServiceStatus": {"RunningTasks": 2, "DesiredTasks": 3, "CompletedTasks": 0},
    }
]


@pytest.fixture
def node(engine, tmp_path, monkeypatch):
    engine.answers |= {
        "/containers/json": (200, [{"Id": "c1"}]),
        "/containers/c1/json": (200, CONTAINER),
        "/services": (503, {"message": "This node is not a swarm manager."}),
        "/networks": (200, [{"Name": "lab", "Driver": "bridge"}]),
        "/volumes": (200, VOLUMES),
        "/images/json": (200, IMAGES),
    }
    (tmp_path / "secrets" / "mysql").mkdir(parents=True)
    for registry in ("ubuntu1:5000", "its.own"):
        (tmp_path / "certs.d" / registry).mkdir(parents=True)
    (tmp_path / "certs.d" / "ubuntu1:5000" / "lab").touch()
    monkeypatch.setattr(observe, "TRUST_MARKS", f"{tmp_path}/certs.d/*/lab")
    monkeypatch.setattr(observe, "FOLDERS", (f"{tmp_path}/secrets/*", f"{tmp_path}/not there"))
    return engine


def told(monkeypatch, capsys, *paths):
    monkeypatch.setattr("sys.argv", ["lab-observe", *paths])
    observe.main()
    return json.loads(capsys.readouterr().out)


def test_a_node_is_told_of_in_one_object(node, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("lab\n")
    found = told(monkeypatch, capsys, f"{tmp_path}/file", f"{tmp_path}/none")
    assert found == {
        "containers": [CONTAINER],
        "stack": {},
        "networks": ["lab"],
        "volumes": ["mysql_data", "webapp_static"],
        "disposable_volumes": ["mysql_data", "webapp_static"],
        "images": ["ubuntu1:5000/mysql:0dcb33749690", "mysql:latest"],
        "folders": [f"{tmp_path}/secrets/mysql", f"{tmp_path}/certs.d/ubuntu1:5000"],
        "files": {
            f"{tmp_path}/file": "b76025a9ca630b026d630d59a18cf414f5724d2bbf5dc4b11dd165c9c1ea8e01"
        },
    }
    disposable = "/volumes?filters=%7B%22label%22%3A%20%5B%22lab.disposable%3Dyes%22%5D%7D"
    assert disposable in node.asked


def test_the_lab_s_own_trust_is_marked_as_the_plans_have_it():
    paths = [file.path for file in registry_trust({"registry_ca.crt": "x"}, "ubuntu1:5000")]
    assert [path for path in paths if fnmatchcase(path, observe.TRUST_MARKS)] == [
        "/etc/docker/certs.d/ubuntu1:5000/lab"
    ]


def test_what_docker_calls_unhealthy_is_asked_again(node, monkeypatch, capsys, command):
    command("docker", '[ "$*" = "exec mysql timeout --signal=KILL 3 ask" ]')
    ill = CONTAINER | {"State": {"Status": "running", "Health": {"Status": "unhealthy"}}}
    node.answers |= {"/containers/c1/json": (200, ill)}
    (found,) = told(monkeypatch, capsys)["containers"]
    assert found["State"]["Health"]["Status"] == "healthy"


def test_a_manager_tells_of_its_stack_and_docker_of_no_volumes(node, monkeypatch, capsys):
    node.answers |= {
        "/services": (200, SERVICES),
        "/volumes": (200, {"Volumes": None, "Warnings": None}),
    }
    found = told(monkeypatch, capsys)
    assert (found["stack"], found["volumes"]) == ({"webapp_nginx": "2/3"}, [])
    assert "/services?status=true&filters=%7B%7D" in node.asked


LISTED = "/containers/json"


@pytest.mark.parametrize(
    ("statuses", "looks"),
    [
        (("Up 3 seconds (health: starting)", "Up 9 seconds (healthy)"), 9),
        (("Up 3 seconds (unhealthy)", "Up 9 seconds (healthy)"), 1),
        (("Up 3 seconds (healthy)", "Up 9 seconds (healthy)"), 1),
        (("Up 3 seconds", "Up 9 seconds (healthy)"), 1),
        (("Restarting (1) 2 seconds ago", "Up 9 seconds (health: starting)"), 1),
        (("Exited (0) 2 seconds ago", "Up 9 seconds (health: starting)"), 1),
        (("Up 9 seconds (health: starting)",), 1),
    ],
)
def test_containers_are_waited_for_where_they_may_get_healthy(node, monkeypatch, statuses, looks):
    listed = zip(("mysql", "cassandra"), statuses, strict=False)
    node.answers[LISTED] = (200, [{"Names": [f"/{name}"], "Status": s} for name, s in listed])
    clock = iter(range(100))
    monkeypatch.setattr(
        observe, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None)
    )
    observe.wait_healthy(docker.Docker(), ["mysql", "cassandra"], 10)
    assert len(node.asked) == looks


def test_what_was_waited_for_is_told_with_the_rest(node, tmp_path, monkeypatch, capsys):
    node.answers[LISTED] = (200, [{"Id": "c1", "Names": ["/mysql"], "Status": "Up 3 seconds"}])
    (tmp_path / "file").write_text("lab\n")
    found = told(monkeypatch, capsys, "--healthy", "3", "mysql", f"{tmp_path}/file")
    assert found["containers"] == [CONTAINER]
    assert list(found["files"]) == [f"{tmp_path}/file"]


def test_a_file_that_may_not_be_read_is_no_file_that_is_not_there(node, tmp_path):
    with pytest.raises(IsADirectoryError):
        observe.digests([str(tmp_path)])


def test_docker_s_silence_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(docker, "SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr("sys.argv", ["lab-observe"])
    with pytest.raises(SystemExit) as ended:
        observe.main()
    assert ended.value.code == (
        "Docker does not answer at /run/docker.sock: [Errno 2] No such file or directory"
    )
