"""Each node as a machine: SSH, Docker, disk, memory, clock, names, firewall."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.doctor.checks.facts import LATE, Answer, Examined, Facts, in_time, rows, shortened
from lab.doctor.diagnosis import Check, Failure, each
from lab.plan import render

# Below these a node is about to fail: MiB of disk, shares of a file system's inodes and of memory.
DISK_MIB, INODES_PERCENT, MEMORY_SHARE = 256, 98, 0.04
# Seconds. Cassandra decides by its clocks which of two writes was the last.
CLOCK_SECONDS = 1.0
# What Paramiko says of a server that does not get to greet, or to go on, in time.
LATE_GREETING = re.compile(r"timed out|banner|No existing session|Timeout")


def checks(facts: Facts, node: str) -> Iterator[Check]:
    yield ssh(facts, node)
    yield from machine(facts, node)


def ssh(facts: Facts, node: str) -> Check:
    outcome = facts.nodes[node]
    return Check(f"{node}: SSH", outcome if isinstance(outcome, Failure) else None)


def no_answer(node: str, why: str, container: str, state: str) -> Failure:
    """container: the node as one of this machine; state: its own, empty if there is none."""
    if "lab-doctor: command not found" in why:
        return Failure("it was provisioned by an earlier version", "fab up")
    remedies = {
        "paused": f"docker unpause {container}",
        "running": f"docker exec {container} systemctl restart ssh",
    }
    stands = f"; its container {container} is {state}" if state else ""
    # The message's own advice is for somebody who wanted to change something.
    said = shortened(why.partition(": see `")[0])
    # A machine that is there and whose sshd takes long: it may have no more than much to do.
    late = state in ("running", "") and LATE_GREETING.search(said)
    return Failure(
        (f"{LATE} over SSH ({said})" if late else said) + stands,
        remedies.get(state, f"vagrant up {node}"),
    )


def machine(facts: Facts, node: str) -> Iterator[Check]:
    needs = (each(f"{node}: SSH"),)
    outcome = facts.nodes[node]
    asked = outcome if isinstance(outcome, Examined) else None
    for name, failure in (
        ("disk", disk(node, facts.answer(node, "disk"))),
        ("memory", memory(node, facts.answer(node, "memory"))),
        ("clock", clock(node, asked.ahead if asked else 0.0)),
        ("names", names(facts, node)),
        ("firewall", firewall(facts, node)),
    ):
        yield Check(f"{node}: {name}", failure, needs)
    listed = asked.docker if asked else Answer(None)
    failure = None if listed.well else _docker(node, listed, facts.answer(node, "daemon"))
    yield Check(f"{node}: Docker", failure, needs)


def _docker(node: str, listed: Answer, daemon: Answer) -> Failure:
    active, _, process = daemon.output.partition("\n")
    if process.strip().startswith("T"):
        return Failure(
            "dockerd is stopped by a signal",
            on(node, "systemctl kill --kill-whom=main --signal=CONT docker"),
        )
    return Failure(
        f"docker.service is {active or 'unknown'}: {listed.said}",
        on(node, "systemctl restart docker"),
    )


def on(node: str, command: str) -> str:
    """The command line that runs a command as root on a node."""
    return f"vagrant ssh {node} -c 'sudo {command}'"


def disk(node: str, answer: Answer) -> Failure | None:
    for path, available, _, inodes in rows(answer.output, 4):
        full = inodes.rstrip("%").isdecimal() and int(inodes.rstrip("%")) >= INODES_PERCENT
        if int(available) < DISK_MIB or full:
            what = f"{inodes} of its inodes are used" if full else f"{available} MiB are free"
            return Failure(
                f"{path}: {what}",
                on(node, f"du -xhd1 {path} | sort -h | tail") + f", and remove what fills {path}",
            )
    return None if answer.well else unanswered(node, answer)


def memory(node: str, answer: Answer) -> Failure | None:
    """Of the node's own limit, or of the machine, whichever is less."""
    words = [line.split() for line in answer.output.splitlines()]
    numbers = {row[0]: int(row[1]) for row in words if len(row) > 1 and row[1].isdecimal()}
    if not numbers.keys() >= {"MemTotal:", "MemAvailable:"}:
        return unanswered(node, answer)
    total, available = numbers["MemTotal:"] * 1024, numbers["MemAvailable:"] * 1024
    # The cgroup's limit and what is in use, part of which is only the files' cache.
    plain = [row[0] for row in words if len(row) == 1]
    if len(plain) > 1 and plain[0] != "max" and int(plain[0]) < total:
        cache = numbers.get("total_inactive_file", numbers.get("inactive_file", 0))
        total = int(plain[0])
        available = min(available, total - int(plain[1]) + cache)
    if available >= MEMORY_SHARE * total:
        return None
    advice = on(node, "ps axo rss,comm --sort=-rss | head") + ": end what takes most"
    return Failure(
        f"{available // 2**20} MiB of {total // 2**20} MiB are free",
        f"{advice}, or raise its memory in lab.yml",
    )


def clock(node: str, ahead: float) -> Failure | None:
    if abs(ahead) <= CLOCK_SECONDS:
        return None
    way = "ahead of" if ahead > 0 else "behind"
    return Failure(
        f"{abs(ahead):.1f} s {way} this machine's",
        on(node, "timedatectl set-ntp true") + f", or `vagrant reload {node}`",
    )


def names(facts: Facts, node: str) -> Failure | None:
    answer = facts.answer(node, "names")
    known = dict(line.split()[:2] for line in answer.output.splitlines() if len(line.split()) > 1)
    for name in facts.topology.names:
        if known.get(name) != facts.topology.address(name):
            failure = Failure(
                f"{name} is {known.get(name, 'unknown')} here, not {facts.topology.address(name)}",
                on(node, "lab-names"),
            )
            return in_time(answer, failure)
    return None


def firewall(facts: Facts, node: str) -> Failure | None:
    answer = facts.answer(node, "firewall")
    wanted = rules(render.firewall(facts.topology, node))
    lines = answer.output.splitlines()
    present = [line for line in lines if line.startswith("-A LAB ")]
    entered = any(
        line.startswith("-A PREROUTING -i ") and line.endswith(" -j LAB") for line in lines
    )
    if entered and present == wanted:
        return None
    missing = [rule for rule in wanted if rule not in present]
    strange = [rule for rule in present if rule not in wanted]
    evidence = "; ".join(
        [
            *(["no packet is led through the chain LAB"] if not entered else []),
            *([f"{len(missing)} of {len(wanted)} rules are missing"] if missing else []),
            *([f"not the lab's: {strange[0]}"] if strange else []),
        ]
    )
    failure = Failure(evidence or "the rules are in another order", on(node, "lab-firewall"))
    return in_time(answer, failure)


def rules(text: str) -> list[str]:
    """What iptables shows of the rules that lab-firewall makes of its file."""
    shown = []
    for line in text.splitlines():
        ports, addresses, protocol = line.split()
        for address in addresses.split(","):
            shown.append(
                f"-A LAB -s {address}/32 -p {protocol} -m multiport --dports {ports} -j RETURN"
            )
        opening = "-m tcp --tcp-flags FIN,SYN,RST,ACK SYN " if protocol == "tcp" else ""
        shown.append(f"-A LAB -p {protocol} {opening}-m multiport --dports {ports} -j DROP")
    return shown


def unanswered(node: str, answer: Answer) -> Failure:
    return Failure(answer.said, f"vagrant ssh {node}")
