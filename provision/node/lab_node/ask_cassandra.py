"""Logs in to Cassandra as the application does and reads as it does, at LOCAL_QUORUM.

usage: lab-ask-cassandra SECONDS USER PASSWORD_FILE STATEMENTS ADDRESS...
SECONDS: how long each server may take; STATEMENTS: with ; between.
Prints a JSON object: address -> [step that failed: connect, login or read; what was said], or
["", ""].
"""

import json
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab_node import cql


def trouble(
    seconds: float, address: str, user: str, password: str, statements: list[str]
) -> tuple[str, str]:
    step = "connect"
    try:
        with socket.create_connection((address, cql.PORT), timeout=seconds) as connection:
            cql.call(connection, cql.STARTUP, cql.startup())
            step = "login"
            answered, body = cql.call(connection, cql.AUTH_RESPONSE, cql.login(user, password))
            if answered != cql.AUTH_SUCCESS:
                return step, cql.message(body) if answered == cql.ERROR else ""
            step = "read"
            for statement in statements:
                query = cql.query(statement, cql.LOCAL_QUORUM)
                answered, body = cql.call(connection, cql.QUERY, query)
                if answered == cql.ERROR:
                    return step, cql.message(body)
    except TimeoutError:
        return step, f"no answer within {seconds:g} s"
    except (OSError, EOFError, struct.error) as error:
        return step, str(error)
    return "", ""


def main() -> None:
    seconds, user, password_file, statements, *addresses = sys.argv[1:]
    password = Path(password_file).read_text().strip()

    def ask(address: str) -> tuple[str, str]:
        return trouble(float(seconds), address, user, password, statements.split(";"))

    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        found = pool.map(ask, addresses)
        json.dump(dict(zip(addresses, found, strict=True)), sys.stdout)
