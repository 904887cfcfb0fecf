"""Which files shellcheck is given, and what becomes of what it says."""

import pytest

from tests import shell

SCRIPTS = {
    "run.sh": "#!/bin/sh\n",
    "no-suffix": "#!/usr/bin/env bash\n",
    "images/a/b/deep": "#!/usr/bin/env -S bash -p\n",
    ".ci/run": "#!/bin/bash\n",
}
OTHERS = {
    "program": "#!/usr/bin/env python3\n",
    "sh.txt": "#!/bin/sharp\n",
    "sourced": "echo\n",
    "empty": "",
    "images/program": "#!/bin/awk -f\n",
    "images/old.bak": "#!/bin/sh\n",
    "images/.hidden/run": "#!/bin/sh\n",
    ".venv/bin/activate": "#!/bin/sh\n",
    "backups/one/run": "#!/bin/sh\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in (SCRIPTS | OTHERS).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link").symlink_to("run.sh")
    return tmp_path


@pytest.fixture
def ours(tmp_path, monkeypatch):
    """The check's status, of scripts in place of this folder's."""

    def check(scripts, excepted):
        for name, text in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        monkeypatch.setattr(shell, "FOLDER", tmp_path)
        monkeypatch.setattr(shell, "AS_THEY_ARE", excepted)
        return shell.main()

    return check


def test_every_shell_script_is_found_by_its_first_line(folder):
    assert sorted(shell.scripts(folder)) == [".ci/run", "images/a/b/deep", "no-suffix", "run.sh"]


@pytest.mark.parametrize(
    ("script", "excepted", "wanted"),
    [
        ("echo well\n", {}, (0, "")),
        ("echo $1\n", {}, (1, "run.sh:2:6: note: ")),
        ("echo $1\n", {"run.sh": "SC2086"}, (0, "")),
        ("echo $1 `date`\n", {"run.sh": "SC2086"}, (1, "run.sh:2:9: ")),
    ],
)
def test_what_shellcheck_finds_is_shown_and_fails(ours, capfd, script, excepted, wanted):
    status, said = wanted
    assert ours({"run.sh": script, "well": ""}, excepted) == status
    assert capfd.readouterr().out.startswith(said)


def test_a_finding_in_one_script_is_not_lost_behind_one_that_is_well(ours):
    assert ours({"run.sh": "echo $1\n", "well": ""}, {"well": "SC2086"}) == 1


def test_without_shellcheck_the_way_to_it_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(shell.sys, "executable", str(tmp_path / "python"))
    assert shell.main() == 1
    assert capsys.readouterr().out == (
        "tests: shellcheck: not found: run `provision/host.sh environment`\n"
    )
