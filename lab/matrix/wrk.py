"""The load: wrk, from this machine, straight to an nginx of the lab."""

from __future__ import annotations

import subprocess
from tempfile import NamedTemporaryFile

from lab.errors import LabError
from lab.matrix import results
from lab.matrix.results import Measurement
from lab.visitor.client import Client


def measure(address: str, path: str, client: Client, seconds: int, connections: int) -> Measurement:
    """address: HOST or HOST:PORT; client: whose session the load has."""
    with NamedTemporaryFile("w", suffix=".lua") as script:
        # A file that others can't read: on the command line they could read the session.
        script.write(f"wrk.headers['Cookie'] = '{client.cookie_header()}'\n")
        script.flush()
        command = (
            *("wrk", "--threads", "1", "--connections", str(connections), "--latency"),
            *("--duration", f"{seconds}s", "--script", script.name, f"http://{address}{path}"),
        )
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise LabError("wrk: not found: run `make up`, which installs it") from None
    return results.parse_wrk(done.stdout + done.stderr)
