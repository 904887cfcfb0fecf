"""MySQL's servers from inside their containers: queries.

Root there needs no password: the server knows it by the socket (images/mysql/entrypoint.sh).
"""

from __future__ import annotations

from contextlib import suppress

from lab.context import Lab
from lab.databases.roles import primary
from lab.engine.ssh import Node
from lab.errors import LabError

DATABASE, SERVER = "djangodb", "mysql"
# Seconds for a server to apply what the primary had.
APPLIED_SECONDS = 60


def sql(node: Node, query: str, server: str = SERVER) -> list[str]:
    """The words of the answer."""
    client = ("mysql", "-uroot", "--batch", "--skip-column-names", "--execute", query)
    return node.run("docker", "exec", server, *client).split()


def executed(lab: Lab) -> str:
    """The transactions (GTIDs) that the primary has executed by now."""
    answer = sql(lab.nodes[primary(lab)], "SELECT @@GLOBAL.gtid_executed")
    return "".join(answer).replace("\\n", "")


def wait_executed(lab: Lab, server: str, transactions: str) -> None:
    """Returns once a server has them all. Raises LabError if it takes too long."""
    wait = f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{transactions}', {APPLIED_SECONDS})"
    if sql(lab.nodes[server], wait) != ["0"]:
        raise LabError(
            f"{server}: MySQL lags behind by more than {APPLIED_SECONDS} s: `fab doctor`"
        )


def password_hash(lab: Lab, username: str) -> str:
    """Django's, as the first server that answers has it; empty if there is none, or no answer."""
    query = f"SELECT password FROM {DATABASE}.auth_user WHERE username = '{username}'"  # noqa: S608
    for name in lab.topology.settings.mysql:
        with suppress(LabError):
            return "".join(sql(lab.nodes[name], query))
    return ""
