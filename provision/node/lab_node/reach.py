"""Connects to each HOST:PORT of its arguments; prints "HOST:PORT why" for each that fails."""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 2.0


def why_not(place: str) -> str:
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS).close()
    except TimeoutError:
        return f"no answer within {SECONDS:g} s"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def main() -> None:
    places = sys.argv[1:]
    with ThreadPoolExecutor(max_workers=len(places) or 1) as pool:
        for place, why in zip(places, pool.map(why_not, places), strict=True):
            if why:
                print(place, why)
