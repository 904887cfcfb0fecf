"""Logs in to Cassandra as the application does and reads as it does, at LOCAL_QUORUM."""

import queue
import socket
import struct
import threading
import time

from lab_node import cql

# The first that does as it is asked is enough, and each checks a password slowly, on purpose: the
# next one is asked, too, only once the others have had this share of their time.
SHARE = 0.2


def serves(address: str, seconds: float) -> bool:
    """Whether a server answers OPTIONS, as it does before a login. May raise OSError, EOFError."""
    with socket.create_connection((address, cql.PORT), timeout=seconds) as connection:
        return cql.call(connection, cql.OPTIONS, b"")[0] == cql.SUPPORTED


def trouble(
    seconds: float, address: str, user: str, password: str, statements: list[str]
) -> tuple[str, str]:
    """The step that failed, connect, login or read, and what was said; or two empty texts."""
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


def troubles(
    seconds: float, addresses: list[str], user: str, password: str, statements: list[str]
) -> dict[str, tuple[str, str]]:
    """What trouble() says of one address after another, until it says nothing of one.

    seconds: how long each may take, and all of them.
    """
    found: dict[str, tuple[str, str]] = {}
    told: queue.Queue[tuple[str, tuple[str, str]]] = queue.Queue()

    def ask(address: str, left: float) -> None:
        told.put((address, trouble(left, address, user, password, statements)))

    deadline = time.monotonic() + seconds
    rest = list(addresses)
    while len(found) < len(addresses) and ("", "") not in found.values():
        left = round(max(0.1, deadline - time.monotonic()), 1)
        if rest:
            threading.Thread(target=ask, args=(rest.pop(0), left), daemon=True).start()
        try:
            # Who was silent to the end tells so himself a moment later.
            address, why = told.get(timeout=seconds * SHARE if rest else left + 0.2)
            found[address] = why
        except queue.Empty:
            if not rest:
                late = "read", f"no answer within {seconds:g} s"
                return dict.fromkeys(addresses, late) | found
    return found
