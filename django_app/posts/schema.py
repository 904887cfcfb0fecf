"""The tables of the posts' keyspace, as data: what `initialize` creates and compares with.

`months` lists the months in which a user has posts. It tells a reader where to go on, and where
to stop, without asking for months that are empty.
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
    "posts": (
        Column("username", "text", "partition_key", 0),
        Column("month", "int", "partition_key", 1),
        Column("id", "timeuuid", "clustering", 0, "desc"),
        Column("content", "text"),
    ),
    "months": (
        Column("username", "text", "partition_key", 0),
        Column("month", "int", "clustering", 0, "desc"),
    ),
}

# Two of three replicas have to answer. When one of those asked is slower than this, the third is
# asked, too. Cassandra's default is 99p alone, which grows with the slowness that it should cure.
SPECULATIVE_RETRY = "200ms"


def create_table(keyspace: str, name: str, columns: tuple[Column, ...]) -> str:
    definitions = ", ".join(f"{column.name} {column.type}" for column in columns)
    partition = ", ".join(column.name for column in columns if column.kind == "partition_key")
    clustering = [column for column in columns if column.kind == "clustering"]
    key = ", ".join([f"({partition})", *(column.name for column in clustering)])
    order = ", ".join(f"{column.name} {column.order.upper()}" for column in clustering)
    return (
        f"CREATE TABLE {keyspace}.{name} ({definitions}, PRIMARY KEY ({key}))"
        f" WITH CLUSTERING ORDER BY ({order})"
        f" AND speculative_retry = '{SPECULATIVE_RETRY}'"
    )
