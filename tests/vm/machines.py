"""The way to the virtual machines, and how long anything may take on them.

An emulated machine is as fast as what else runs on this one leaves it. So no wait is one of
seconds: each has its processor seconds, of all that runs beside these tests (tests/vm/apart).
"""

import os
import subprocess
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread

from tests.vm.place import CLONE, ENVIRONMENT, HERE, RUN

SSH_CONFIG = RUN / "ssh_config"
# Seconds after which anything is ended, whatever it has used: it waits for something.
LONGEST = 5400
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """Used by all processes of this namespace so far, and by those of theirs that have ended."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # Behind the program's name, which may hold anything (proc_pid_stat(5)): utime, stime,
            # cutime and cstime are the 14th to 17th.
            used += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return used / TICKS


def run(*command: str, processor: float = 300, given: str = "", check: bool = True, cwd=CLONE):
    """A command's exit status and all that it printed.

    processor: the processor seconds that may be used until it ends.
    """
    with TemporaryFile("w+") as said, TemporaryFile("w+") as stdin:
        stdin.write(given)
        stdin.seek(0)
        began, before = time.monotonic(), processor_seconds()
        process = subprocess.Popen(
            command, cwd=cwd, env=ENVIRONMENT, stdin=stdin, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                time.sleep(0.5)
                used, took = processor_seconds() - before, time.monotonic() - began
                assert used < processor and took < LONGEST, (
                    f"{command}: not done after {took:.0f} s and {used:.0f} processor seconds:"
                    f" {tail(said)}"
                )
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        text = said.read()
    assert not check or process.returncode == 0, f"{command}: {process.returncode}: {text[-3000:]}"
    return process.returncode, text


def tail(stream) -> str:
    stream.seek(0)
    return stream.read()[-2000:]


def vagrant(*arguments: str, processor: float = 300) -> str:
    return run("vagrant", *arguments, processor=processor)[1]


def virsh(*arguments: str) -> str:
    return run("virsh", "--connect", "qemu:///system", *arguments)[1]


def root(node: str, script: str, processor: float = 120) -> str:
    """What a shell's script prints on a machine, run as root."""
    return attempt(node, script, processor, check=True)[1]


def attempt(node: str, script: str, processor: float = 120, *, check: bool = False):
    """Exit status and output of a shell's script on a machine, run as root."""
    ssh = ("ssh", "-F", str(SSH_CONFIG), "-o", "ConnectTimeout=300", node, "sudo bash -s")
    return run(*ssh, processor=processor, given=script, check=check)


def learn_ssh(*nodes: str) -> None:
    text = vagrant("ssh-config", *nodes)
    SSH_CONFIG.write_text("\n".join(x for x in text.splitlines() if x.startswith(("Host ", "  "))))


def load(node: str, archive: Path) -> None:
    """Brings images to a machine's Docker.

    Over plain HTTP from this end of the lab's network: emulated, SSH deciphers a few MB a second.
    """
    handler = partial(SilentHandler, directory=str(archive.parent))
    with ThreadingHTTPServer((HERE, 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://{HERE}:{server.server_port}/{archive.name}"
            root(node, f"set -o pipefail; curl -sSf {address} | docker load", processor=1500)
        finally:
            server.shutdown()
            thread.join()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def send_folder(node: str, path: Path, target: str) -> None:
    """A file or folder of this machine's, as a path of the other's."""
    root(node, f"rm -rf {target}")
    run("scp", "-q", "-r", "-F", str(SSH_CONFIG), str(path), f"{node}:{target}")
