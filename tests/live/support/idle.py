"""Run on a node, given to Python by standard input: what it used of a core in SECONDS, as JSON.

{"all": percent, "containers": {service: percent}, "waits": {thread: waits a second}}
"""

import glob
import json
import sys
import time

sys.path.insert(0, "/usr/local/lib/lab")
from lab_node.docker import Docker
from lab_node.sample import CGROUPS, pairs, read, usage

SECONDS = int(sys.argv[1])


def everything():
    """Nanoseconds of all processes so far."""
    try:
        return int(read(f"{CGROUPS}/cpuacct/cpuacct.usage"))
    except FileNotFoundError:
        return pairs(f"{CGROUPS}/cpu.stat")["usage_usec"] * 1000


def containers():
    running = [one for one in Docker().containers() if one["State"]["Running"]]
    return {
        one["Config"]["Labels"]["lab.service"]: usage(one["State"]["Pid"])["cpu"] for one in running
    }


def waits():
    found = {}
    for path in glob.glob("/proc/[0-9]*/task/*/status"):
        try:
            lines = dict(line.split(":", 1) for line in read(path).splitlines())
        except OSError:  # it has ended
            continue
        thread = f"{lines['Name'].strip()} {path.split('/')[4]}"
        found[thread] = int(lines["voluntary_ctxt_switches"])
    return found


def rates(before, after, unit):
    return {name: round((after[name] - before[name]) / unit, 2) for name in before if name in after}


def look():
    return time.monotonic(), containers(), waits(), everything()


def main():
    began, *before = look()
    time.sleep(SECONDS)
    # What looking took is not counted.
    used = everything() - before[2]
    ended, *after = look()
    percent = (ended - began) * 1e7
    told = {
        "all": round(used / percent, 2),
        "containers": rates(before[0], after[0], percent),
        "waits": rates(before[1], after[1], ended - began),
    }
    json.dump(told, sys.stdout)


main()
