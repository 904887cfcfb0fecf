"""The posts' rows as digests: what was read from a ring, and what a restored one has to have. Pure.

The ring is read before the snapshot and after it. What was there both times has to be in the
backup; what is in the backup has to be there after. If nobody writes meanwhile, that is equality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Posts:
    """columns: those of all tables, a line each; rows: 'TABLE DIGEST'."""

    columns: tuple[str, ...]
    rows: frozenset[str]

    @property
    def counts(self) -> dict[str, int]:
        """Table to rows; each table that has columns is there."""
        tables = (column.split()[0] for column in self.columns)
        counted = Counter(row.split()[0] for row in self.rows)
        return {table: counted[table] for table in sorted(set(tables))}


def with_rows(read: Posts) -> Posts:
    """What was read, without the columns of tables that have no rows; all of them if none has.

    An older release names the columns of newer tables, too, and reads no row of them.
    """
    filled = {table for table, rows in read.counts.items() if rows}
    columns = tuple(column for column in read.columns if not filled or column.split()[0] in filled)
    return Posts(columns, read.rows)


def parse(output: str) -> Posts:
    """What `manage.py digest_posts` printed. Raises LabError if its end is missing.

    An older release may print a row twice: its driver took a late page for the next one.
    """
    words = [line.split(maxsplit=1) for line in output.splitlines() if " " in line]
    columns = tuple(sorted(rest for kind, rest in words if kind == "column"))
    rows = [rest for kind, rest in words if kind == "row"]
    if ["end", f"{len(rows)} rows"] not in words:
        raise LabError("digest_posts: its end is missing: try again")
    return Posts(columns, frozenset(rows))


def lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in sorted(rows))


def fitting(backup: Iterable[str], ring: Iterable[str]) -> bool:
    """Whether a ring with these columns takes a backup of those: each table of the backup is the
    same there. One that the backup has not is newer."""
    tables = {column.split()[0] for column in backup}
    return {column for column in ring if column.split()[0] in tables} == set(backup)


def missing(
    before: frozenset[str], after: frozenset[str], restored: frozenset[str]
) -> tuple[str, ...]:
    """What a restored ring lacks of what was there all the while, a line for each table."""
    lacking = (before & after) - restored
    return tuple(_counted(lacking, "that were there before the backup are missing"))


def surplus(restored: frozenset[str], after: frozenset[str]) -> tuple[str, ...]:
    """What only a restored ring has, a line for each table.

    It may be right: a write that failed may be on a single node, which the snapshots of all have
    and a read of two does not see.
    """
    return tuple(_counted(restored - after, "were not read from the ring"))


def _counted(rows: Iterable[str], what: str) -> Iterator[str]:
    for table, number in sorted(Counter(row.split()[0] for row in rows).items()):
        yield f"Cassandra: {table}: {number} rows {what}"
