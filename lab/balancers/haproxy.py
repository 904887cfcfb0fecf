"""What HAProxy says about its servers, as records. Pure."""

from __future__ import annotations

import csv
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a backend.

    status: UP, DOWN, DRAIN or MAINT, perhaps with how many checks it is from another ("UP 1/2");
    check: the last health check's result (L7OK, L4CON, ...); sessions: requests it has in hand now.
    """

    name: str
    status: str
    check: str
    sessions: int

    def __str__(self) -> str:
        return f"{self.status} {self.check}".strip()

    @property
    def gets_requests(self) -> bool:
        return self.status.split()[0] == "UP"

    @property
    def well(self) -> bool:
        """Whether its health checks succeed, also while it is drained."""
        return self.status in ("UP", "DRAIN") and self.check in ("L7OK", "L7OKC")


def servers(statistics: str) -> dict[str, Server]:
    """Reads the answer to `show stat BACKEND 4 -1`: servers alone, as CSV."""
    rows = csv.DictReader(statistics.strip().removeprefix("# ").splitlines())
    listed = (
        # A check that is under way has a star before its last result.
        Server(row["svname"], row["status"], row["check_status"].lstrip("* "), int(row["scur"]))
        for row in rows
    )
    return {server.name: server for server in listed}


def taken_out(states: str) -> frozenset[str]:
    """Reads the answer to `show servers state BACKEND`: servers that somebody drained or disabled.

    The statistics don't tell: a drained server whose checks fail is DOWN like any other.
    """
    lines = [line for line in states.strip().splitlines() if len(line.split()) > 1]
    rows = csv.DictReader((line.removeprefix("# ") for line in lines), delimiter=" ")
    return frozenset(row["srv_name"] for row in rows if row["srv_admin_state"] != "0")
