"""The tables of the posts' keyspace, as data: what `initialize` creates and compares with.

A post belongs to its account's own id: `posts_of_accounts`. `months_of_accounts` lists the months
in which an account has posts. It tells a reader where to go on, and where to stop, without asking
for months that are empty.

Older releases know accounts by name only, and read and write `posts` and `months`. So that one of
them can serve beside this release, or be gone back to, each post is there, too. `owners` says whose
each row of `posts` is: what it lacks was written by an older release, and not taken over yet.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """As in system_schema.columns."""

    name: str
    type: str
    kind: str = "regular"
    position: int = -1
    order: str = "none"


TABLES: dict[str, tuple[Column, ...]] = {
    "posts_of_accounts": (
        Column("account", "bigint", "partition_key", 0),
        Column("month", "int", "partition_key", 1),
        Column("id", "timeuuid", "clustering", 0, "desc"),
        Column("content", "text"),
        # The account's name then: under which it is in `posts`.
        Column("written_as", "text"),
    ),
    "posts": (
        Column("username", "text", "partition_key", 0),
        Column("month", "int", "partition_key", 1),
        Column("id", "timeuuid", "clustering", 0, "desc"),
        Column("content", "text"),
    ),
    "owners": (
        Column("username", "text", "partition_key", 0),
        Column("month", "int", "partition_key", 1),
        Column("id", "timeuuid", "clustering", 0, "desc"),
        Column("account", "bigint"),
    ),
    "months_of_accounts": (
        Column("account", "bigint", "partition_key", 0),
        Column("month", "int", "clustering", 0, "desc"),
    ),
    "months": (
        Column("username", "text", "partition_key", 0),
        Column("month", "int", "clustering", 0, "desc"),
    ),
}

# What was reached: no part of a backup, since a restored lab may be behind that.
MILESTONES: dict[str, tuple[Column, ...]] = {
    "milestones": (Column("name", "text", "partition_key", 0),),
}
# Every row of `posts` has its owner, and no older release serves.
ALL_OWNED = "every post has its owner"
# Whose account it is that the posts of names without an account are kept for. MySQL counts from 1.
NOBODY = 0

# Two of three replicas have to answer. When one of those asked is slower than this, the third is
# asked, too. Cassandra's default is 99p alone, which grows with the slowness that it should cure.
SPECULATIVE_RETRY = "200ms"


def create_table(keyspace: str, name: str, columns: tuple[Column, ...]) -> str:
    definitions = ", ".join(f"{column.name} {column.type}" for column in columns)
    partition = ", ".join(column.name for column in columns if column.kind == "partition_key")
    clustering = [column for column in columns if column.kind == "clustering"]
    key = ", ".join([f"({partition})", *(column.name for column in clustering)])
    order = ", ".join(f"{column.name} {column.order.upper()}" for column in clustering)
    ordered = f"CLUSTERING ORDER BY ({order}) AND " if order else ""
    return (
        f"CREATE TABLE {keyspace}.{name} ({definitions}, PRIMARY KEY ({key}))"
        f" WITH {ordered}speculative_retry = '{SPECULATIVE_RETRY}'"
    )
