"""Backups without a lab: what is read out of a dump, what is compared, and what is refused."""

import io
import json
import random
import resource
import stat
import sys
import tarfile
from datetime import UTC, datetime
from types import ModuleType

import pytest

from lab.backup import dump, folder, manifest, posts, snapshots
from lab.backup.dump import DumpReader
from lab.backup.manifest import Table
from lab.config.paths import FOLDER
from lab.errors import LabError

NAME = "20261125-101500"

HEADER = b"""-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)
--
/*!40103 SET TIME_ZONE='+00:00' */;
CREATE TABLE `auth_user` (
  `id` int NOT NULL
) ENGINE=InnoDB;
"""
ROWS = rb"""INSERT INTO `auth_user` VALUES (1,'admin');
INSERT INTO `auth_user` VALUES (2,'a (\'quoted\')\nINSERT INTO `x` VALUES ');
INSERT INTO `django_migrations` VALUES (1,'auth','0001_initial','2026-11-25 10:00:00.000000');
INSERT INTO `django_migrations` VALUES (2,'sessions','0001_initial','2026-11-25 10:00:00.000000');
"""
END = b"-- Dump completed\n"


def read(*parts):
    reader = DumpReader()
    for part in parts:
        reader.feed(part)
    return reader.finish()


def test_a_dump_is_counted_by_table():
    found = read(HEADER, ROWS, b"\n", END)
    assert {name: table.rows for name, table in found.tables.items()} == {
        "auth_user": 2,
        "django_migrations": 2,
    }
    assert found.migrations == ("auth.0001_initial", "sessions.0001_initial")


def test_a_tables_digest_is_the_sum_of_its_lines_digests():
    # sha256("INSERT INTO `t` VALUES (1);") and of (2), added by hand.
    found = read(b"INSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (2);\n", END)
    assert found.tables["t"] == Table(
        rows=2, digest="765da51f227b6a385e60b241e6f21a9252d408ad34c42e5d759db5f88c51a82b"
    )


def test_a_dump_reads_the_same_however_it_is_cut():
    whole = HEADER + ROWS + END
    assert read(*(whole[i : i + 1] for i in range(len(whole)))) == read(whole)


def test_the_order_of_rows_does_not_matter_and_their_content_does():
    lines = ROWS.splitlines(keepends=True)
    assert read(HEADER, *reversed(lines), END).tables == read(HEADER, ROWS, END).tables
    assert (
        read(HEADER, ROWS.replace(b"admin", b"Admin"), END).tables != read(HEADER, ROWS, END).tables
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        HEADER + ROWS,
        HEADER + ROWS + b"-- Dump comple",
        HEADER + ROWS + END + b"INSERT INTO `t` VALUES (1);\n",
        # It may stand in a row, of which this is the end.
        HEADER + b"INSERT INTO `t` VALUES ('-- Dump completed');\n",
    ],
)
def test_a_dump_that_was_cut_off_is_refused(text):
    with pytest.raises(LabError, match="its last line is missing"):
        read(text)


def test_a_dump_is_brought_back_in_transactions_of_bounded_size(monkeypatch):
    monkeypatch.setattr(dump, "COMMIT_BYTES", 6)
    assert list(dump.statements([b"one;\n", b"two;\n", b"three;\n", b"4;\n"])) == [
        b"SET autocommit = 0;\n",
        b"one;\ntwo;\nCOMMIT;\n",
        b"three;\nCOMMIT;\n",
        b"4;\nCOMMIT;\n",
    ]


def test_a_transaction_does_not_end_within_a_table_s_definition(monkeypatch):
    monkeypatch.setattr(dump, "COMMIT_BYTES", 6)
    definition = [b"CREATE TABLE `t` (\n", b"  `id` int\n", b");\n"]
    assert list(dump.statements([*definition, b"one;\n"])) == [
        b"SET autocommit = 0;\n",
        b"CREATE TABLE `t` (\n  `id` int\n);\nCOMMIT;\n",
        b"one;\nCOMMIT;\n",
    ]


KEPT = {"auth_user": Table(rows=2, digest="a"), "django_session": Table(rows=1, digest="b")}


@pytest.mark.parametrize(
    ("tables", "lines"),
    [
        (KEPT, ()),
        (
            {**KEPT, "auth_user": Table(rows=1, digest="c")},
            ("MySQL: auth_user: 2 rows in the backup, 1 restored",),
        ),
        (
            {**KEPT, "auth_user": Table(rows=2, digest="c")},
            ("MySQL: auth_user: 2 rows, but not the same",),
        ),
        (
            {"auth_user": KEPT["auth_user"], "more": Table(rows=3, digest="e")},
            (
                "MySQL: django_session: 1 rows in the backup, 0 restored",
                "MySQL: more: 0 rows in the backup, 3 restored",
            ),
        ),
    ],
)
def test_a_restored_mysql_is_compared_table_by_table(tables, lines):
    assert dump.differences(KEPT, tables) == lines


@pytest.mark.parametrize(
    ("kept", "found", "lines"),
    [("d", "d", ()), ("d", "e", ("MySQL: the tables' definitions differ",))],
)
def test_the_definitions_of_a_restored_mysql_are_compared(kept, found, lines):
    assert dump.differences_of_definitions(kept, found) == lines


COLUMNS = """column posts username text partition_key 0 none
column months username text partition_key 0 none
"""


def test_the_posts_digests_are_read_whole():
    found = posts.parse(COLUMNS + '{"level": "info"}\nrow posts 0a\nrow months 0b\nend 2 rows\n')
    assert found.rows == {"posts 0a", "months 0b"}
    assert found.counts == {"months": 1, "posts": 1}
    twice = posts.parse(COLUMNS + "row posts 0a\nrow posts 0a\nend 2 rows\n")
    assert twice.counts == {"months": 0, "posts": 1}
    assert posts.parse(COLUMNS + "end 0 rows\n").counts == {"months": 0, "posts": 0}


@pytest.mark.parametrize(
    "output", ["", COLUMNS, COLUMNS + "row posts 0a\n", COLUMNS + "row posts 0a\nend 2 rows\n"]
)
def test_digests_that_were_cut_off_are_refused(output):
    with pytest.raises(LabError, match="its end is missing"):
        posts.parse(output)


@pytest.mark.parametrize(
    ("before", "found", "after", "missing", "surplus"),
    [
        ("", "", "", (), ()),
        ("a", "a", "a", (), ()),
        ("a", "ab", "abc", (), ()),
        (
            "ab",
            "a",
            "ab",
            ("Cassandra: posts: 1 rows that were there before the backup are missing",),
            (),
        ),
        ("a", "abc", "ab", (), ("Cassandra: posts: 1 rows were not read from the ring",)),
        # Removed while the backup was taken: by an account's end.
        ("ab", "a", "a", (), ()),
        ("ab", "ab", "a", (), ("Cassandra: posts: 1 rows were not read from the ring",)),
    ],
)
def test_restored_posts_lie_between_what_was_there_before_and_after(
    before, found, after, missing, surplus
):
    before, found, after = (
        frozenset(f"posts {one}" for one in rows) for rows in (before, found, after)
    )
    assert posts.missing(before, after, found) == missing
    assert posts.surplus(found, after) == surplus


def test_a_backup_has_the_tables_that_were_read():
    columns = ("months username text", "owners id timeuuid", "posts id timeuuid")
    rows = frozenset({"posts 0a", "months 0b"})
    read = posts.with_rows(posts.Posts(columns, rows))
    assert read == posts.Posts(("months username text", "posts id timeuuid"), rows)
    empty = posts.Posts(columns, frozenset())
    assert posts.with_rows(empty) == empty


def test_a_ring_with_more_tables_takes_a_backup_of_before():
    before = ("months username text", "posts id timeuuid", "posts username text")
    now = (*before, "owners account bigint")
    rows = [
        (before, before, True),
        (before, now, True),
        (now, before, False),
        (before, (*now, "posts title text"), False),
        (before, now[1:], False),
    ]
    for backup, ring, fits in rows:
        assert posts.fitting(backup, ring) is fits


def test_a_snapshot_has_every_table_and_takes_what_lists_posts_after_them():
    file = FOLDER / "django_app" / "posts" / "schema.py"
    schema = ModuleType("schema")
    # Its records look their own module up.
    sys.modules["schema"] = schema
    exec(file.read_text(), vars(schema))  # noqa: S102 - pure, and not importable without Django
    assert set(snapshots.TABLES) == set(schema.TABLES)
    assert snapshots.POSTS == ("posts_of_accounts", "posts")


# A backup as `fab backup` writes it, and everything that may be wrong with it.


def archive(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for member in members:
            entry = tarfile.TarInfo(member) if isinstance(member, str) else member
            entry.size = 0 if entry.issym() else 3
            made.addfile(entry, io.BytesIO(b"abc"))
    return buffer.getvalue()


def make(backups, **changes):
    with folder.draft(backups, NAME) as one:
        with one.file(manifest.DUMP, compressed=True) as file:
            file.write(HEADER + ROWS + END)
        for name in (manifest.BEFORE, manifest.AFTER):
            with one.file(name, compressed=True) as file:
                file.write(b"posts 0a\n")
        with one.file("cassandra-ubuntu1.tar") as file:
            file.write(
                archive(
                    "posts_of_accounts/nb-1-big-Data.db", "posts/schema.cql", "months/schema.cql"
                )
            )
        values = {
            "format": 1,
            "name": NAME,
            "time": "2026-11-25T10:15:00+00:00",
            "lab": "lab",
            "release": "20261125-1000-abcdef",
            "gtid_executed": "",
            "definitions": "",
            "tables": {"auth_user": Table(rows=2, digest="a")},
            "migrations": ("auth.0001_initial",),
            "columns": (),
            "posts": {"posts": 1},
            "files": one.files,
        }
        folder.finish(one, manifest.Manifest(**(values | changes)))
    return backups / NAME


@pytest.fixture
def backups(tmp_path):
    return tmp_path / "backups"


def test_a_whole_backup_is_accepted(backups):
    made = folder.checked(make(backups))
    assert made.snapshots == {"ubuntu1": "cassandra-ubuntu1.tar"}
    assert folder.tables_in(backups / NAME / "cassandra-ubuntu1.tar") == {"posts_of_accounts"}
    assert folder.digests(backups / NAME / manifest.BEFORE) == {"posts 0a"}


def test_nobody_else_may_read_a_backup(backups):
    made = make(backups)
    assert stat.S_IMODE(backups.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o600}


def flip_a_byte(path, at=10):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def rewritten(made, change):
    """A manifest that says otherwise."""
    path = made / manifest.MANIFEST
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def with_archive(made, content):
    """An archive that its manifest vouches for."""
    name = "cassandra-ubuntu1.tar"
    (made / name).unlink()
    one = folder.Draft(made)
    with one.file(name) as file:
        file.write(content)
    rewritten(made, lambda value: value["files"].update({name: one.files[name].model_dump()}))


def link(name, target):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


DUMP = manifest.DUMP
DAMAGE = {
    "no manifest": (
        lambda made: (made / "manifest.json").unlink(),
        "it was not finished: manifest.json is missing or unreadable",
    ),
    "half a manifest": (
        lambda made: (made / "manifest.json").write_text('{"format": 1, "na'),
        "manifest.json is damaged",
    ),
    "a manifest that is no text": (
        lambda made: (made / "manifest.json").write_bytes(b"\xff\xfe"),
        "it was not finished: manifest.json is missing or unreadable",
    ),
    "a manifest that is no object": (
        lambda made: (made / "manifest.json").write_text("7"),
        "manifest.json is damaged",
    ),
    "a manifest that lacks a key": (
        lambda made: rewritten(made, lambda value: value.pop("tables")),
        "manifest.json is damaged at tables",
    ),
    "another format": (
        lambda made: rewritten(made, lambda value: value.update(format=2)),
        "its format is 2, and this project reads 1",
    ),
    "another backup's manifest": (
        lambda made: rewritten(made, lambda value: value.update(name="20200101-000000")),
        "its manifest is that of '20200101-000000'",
    ),
    "a file too few": (lambda made: (made / DUMP).unlink(), f"{DUMP} is missing"),
    "a file too many": (
        lambda made: (made / "more").write_text(""),
        "more does not belong to it",
    ),
    "a link instead of a file": (
        lambda made: (
            (made / DUMP).rename(made.parent / "x") and (made / DUMP).symlink_to(made.parent / "x")
        ),
        f"{DUMP} has -1 bytes",
    ),
    "a file cut off": (
        lambda made: (made / DUMP).write_bytes((made / DUMP).read_bytes()[:-1]),
        f"{DUMP} has ",
    ),
    "a byte that flipped": (
        lambda made: flip_a_byte(made / DUMP),
        f"{DUMP} was damaged: its SHA-256 is another one",
    ),
    "a byte that flipped in a snapshot": (
        lambda made: flip_a_byte(made / "cassandra-ubuntu1.tar", 512),
        "cassandra-ubuntu1.tar was damaged: its SHA-256 is another one",
    ),
    "an archive that leads out": (
        lambda made: with_archive(made, archive("posts/../../etc/passwd")),
        "cassandra-ubuntu1.tar holds 'posts/../../etc/passwd', which is no table's",
    ),
    "an archive with an absolute path": (
        lambda made: with_archive(made, archive("/etc/passwd")),
        "cassandra-ubuntu1.tar holds '/etc/passwd', which is no table's",
    ),
    "an archive with a link": (
        lambda made: with_archive(made, archive(link("posts/a", "/etc"))),
        "cassandra-ubuntu1.tar holds 'posts/a', which is no table's",
    ),
    "an archive that is none": (
        lambda made: with_archive(made, b"nothing of the kind" * 100),
        "cassandra-ubuntu1.tar was damaged: ",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_backup_is_refused_in_one_line(backups, damage):
    made = make(backups)
    spoil, why = DAMAGE[damage]
    spoil(made)
    with pytest.raises(LabError) as refused:
        folder.checked(made)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"backup {NAME}: {why}")
    assert line.endswith(": nothing was done; others: `fab backups`")


def test_of_a_backup_that_fails_nothing_stays(backups):
    with pytest.raises(LabError), folder.draft(backups, NAME) as one:
        with one.file(manifest.DUMP) as file:
            file.write(b"half")
        raise LabError("the lab went down")
    assert list(backups.iterdir()) == []


@pytest.mark.parametrize("compressed", [False, True])
def test_a_disk_that_is_full_is_told_in_one_line(backups, compressed):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(LabError) as told, folder.draft(backups, NAME) as one:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
        try:
            with one.file(DUMP, compressed=compressed) as file:
                file.write(random.Random(1).randbytes(folder.CHUNK))  # noqa: S311
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    path = backups / f"{NAME}{folder.PARTIAL}" / DUMP
    assert str(told.value) == f"{path}: File too large: no backup was made"
    assert list(backups.iterdir()) == []


def test_what_a_killed_backup_left_is_no_backup_and_goes_with_the_next(backups):
    left = backups / f"20261124-000000{folder.PARTIAL}"
    left.mkdir(parents=True)
    (left / DUMP).write_text("half")
    with pytest.raises(LabError, match="there is no backup"):
        folder.chosen(backups, "")
    make(backups)
    assert [path.name for path in backups.iterdir()] == [NAME]


@pytest.mark.parametrize(
    "name", ["20200101-000000", "../other", "/etc", f"{NAME}/", f"{NAME}.partial"]
)
def test_a_name_that_is_no_backups_is_refused(backups, name):
    make(backups)
    with pytest.raises(LabError) as refused:
        folder.chosen(backups, name)
    assert str(refused.value) == f"--name: {name!r} is no backup; there are: {NAME}"


def test_the_newest_is_chosen_without_a_name(backups):
    make(backups)
    (backups / "20261124-235959").mkdir()
    assert folder.chosen(backups, "").name == NAME


def test_backups_are_listed_with_what_is_wrong(backups):
    make(backups)
    (backups / "20261124-235959").mkdir()
    lines = folder.table(backups).splitlines()
    assert lines[1].split() == [
        NAME, "lab", "20261125-1000-abcdef", "0.0", "2", "1", "complete",
    ]  # fmt: skip
    assert lines[2].split(maxsplit=1) == [
        "20261124-235959",
        "it was not finished",
    ]


def test_migrations_that_a_release_has_not_are_named(backups):
    made = folder.checked(make(backups, migrations=("auth.0001_initial", "posts.0009_new")))
    assert manifest.unknown_migrations(made, ["auth.0001_initial"]) == ("posts.0009_new",)
    assert manifest.unknown_migrations(made, ["auth.0001_initial", "posts.0009_new"]) == ()


def test_a_backups_name_tells_when_it_was_made():
    assert manifest.name_at(datetime(2026, 11, 25, 10, 15, tzinfo=UTC)) == NAME
