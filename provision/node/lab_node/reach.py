"""Which places can be connected to. All at once, by one thread: it is their kernels that answer."""

import errno
import os
import select
import socket
import time


def unreached(places: list[str], seconds: float) -> dict[str, str]:
    """Each HOST:PORT of them that was not reached within so many seconds, and why."""
    found: dict[str, str] = {}
    waiting: dict[int, tuple[str, socket.socket]] = {}
    poll, deadline = select.poll(), time.monotonic() + seconds
    for place in places:
        host, port = place.rsplit(":", 1)
        connection = socket.socket()
        connection.setblocking(False)
        said = connection.connect_ex((host, int(port)))
        if said == errno.EINPROGRESS:
            waiting[connection.fileno()] = place, connection
            poll.register(connection, select.POLLOUT)
            continue
        connection.close()
        if said:
            found[place] = os.strerror(said)
    while waiting and (left := deadline - time.monotonic()) > 0:
        for file, _ in poll.poll(left * 1000):
            place, connection = waiting.pop(file)
            poll.unregister(file)
            if said := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                found[place] = os.strerror(said)
            connection.close()
    for place, connection in waiting.values():
        connection.close()
        found[place] = f"no answer within {seconds:g} s"
    return found
