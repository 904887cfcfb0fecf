"""A lab beside the one that is tested: in a clone of its own, on a free network."""

import json
import os
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

from lab.config.paths import FOLDER
from tests.conftest import TOPOLOGY


def vagrant(*arguments, folder=FOLDER, **environment):
    return in_folder(folder, ("vagrant", *arguments), environment)


def fab(*arguments, folder, **environment):
    return in_folder(folder, (Path(sys.executable).parent / "fab", *arguments), environment)


def in_folder(folder, command, environment):
    """Exit status and output of a command that is not told to replace another folder's lab."""
    inherited = {name: value for name, value in os.environ.items() if name != "LAB_REPLACE"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def docker(*arguments):
    done = subprocess.run(("docker", *arguments), capture_output=True, text=True, check=True)
    return done.stdout.split()


def docker_subnets():
    subnets = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
    found = docker("network", "inspect", "--format", subnets, *docker("network", "ls", "--quiet"))
    return {ip_network(subnet) for subnet in found}


def routes():
    """Of this machine: network -> what `ip route` says of it."""
    said = subprocess.run(("ip", "-json", "-4", "route"), capture_output=True, check=True).stdout
    return {ip_network(one["dst"]): one for one in json.loads(said) if one["dst"] != "default"}


def free_subnet():
    """A /24 that nothing on this machine has."""
    taken = docker_subnets() | set(routes()) | {TOPOLOGY.subnet}
    candidates = (ip_network(f"192.168.{number}.0/24") for number in range(77, 256))
    return str(next(one for one in candidates if not any(one.overlaps(it) for it in taken)))


def cloned(folder, to):
    left = (".git", ".lab", ".offline", ".vagrant", ".venv", "__pycache__")
    ignored = shutil.ignore_patterns(*left)
    return shutil.copytree(folder, to, ignore=ignored)
