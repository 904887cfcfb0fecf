"""Runs drills: users write a ledger, a fault is injected and taken back, the ledger is compared."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial

from lab.doctor import diagnose
from lab.drills import report as reports
from lab.drills.faults import Command, Fault, faults
from lab.drills.guard import guarded, run
from lab.drills.ledger import KINDS, Request, verdict
from lab.drills.load import Load
from lab.drills.picture import picture
from lab.drills.report import Event, Report
from lab.errors import LabError
from lab.plan import WEB
from lab.progress import say, together
from lab.remote import wait_until
from lab.tasks import evidence
from lab.tasks.context import Lab
from lab.tasks.doctor import examine
from lab.tasks.nodes import REPORTS
from lab.tasks.targets import targets

FOLDER = REPORTS / "drills"
PREFIX = "drill-"

# Seconds. Before the first fault; that a fault lasts at least, and at most if the lab does not get
# over it by itself; until all is well once it is taken back; after that.
BEFORE, SHORTEST, LONGEST, HEALED, AFTER = 4.0, 12.0, 60.0, 300.0, 2.0
POLL = 0.2

Strike = Callable[[Load], Iterator[Event]]


def known(lab: Lab) -> dict[str, Fault]:
    return faults(lab.topology.names)


def run_all(lab: Lab, name: str, minutes: float, seed: int) -> list[Report]:
    """The drill of this name, or `all`, or `soak`; each is printed when it is done."""
    if name == "soak":
        done = [soak(lab, minutes, seed)]
        print(reports.text(done[0]))
        return done
    chosen = known(lab).values() if name == "all" else (known(lab)[name],)
    done = []
    for fault in chosen:
        done.append(drill(lab, fault))
        print(reports.text(done[-1]), flush=True)
    if len(done) > 1:
        (FOLDER / "all.md").write_text(reports.table(done))
        print(f"\n{reports.table(done)}", end="")
    return done


def drill(lab: Lab, fault: Fault) -> Report:
    """One fault. Raises LabError if the lab is not well beforehand, or not afterwards."""
    return _run(lab, fault.name, lambda load: iter((_strike(lab, load, fault, random.Random(0)),)))  # noqa: S311


def soak(lab: Lab, minutes: float, seed: int) -> Report:
    """One fault after another, drawn by chance, for so long. The same seed draws the same ones."""
    ends = time.monotonic() + minutes * 60
    chance = random.Random(seed)  # noqa: S311 - for what can be repeated
    chosen = sorted(known(lab).items())

    def strike(load: Load) -> Iterator[Event]:
        number = 0
        while time.monotonic() < ends:
            number += 1
            _, fault = chance.choice(chosen)
            say("soak", f"fault {number}, {(ends - time.monotonic()) / 60:.0f} minutes to go")
            yield _strike(lab, load, fault, chance)

    return replace(_run(lab, "soak", strike), seed=seed)


def _run(lab: Lab, name: str, strike: Strike) -> Report:
    _require_well(lab)
    FOLDER.mkdir(parents=True, exist_ok=True)
    prefix = f"{PREFIX}{secrets.token_hex(4)}-"
    with guarded(forgetting(lab)), _ledger(name) as note:
        password = lab.secrets["django_admin_password"]
        load = Load(lab.topology.virtual_address, password, prefix, note)
        began = time.monotonic()
        with load.running():
            time.sleep(BEFORE)
            events = tuple(strike(load))
            time.sleep(AFTER)
        say("drill", "comparing the ledger with what is there")
        result = verdict(load.requests, evidence.look(lab, load))
    report = _since(began, Report(name, events, tuple(load.requests), result))
    write(report)
    return report


def _since(began: float, report: Report) -> Report:
    """With seconds since the drill began."""

    def since(moment: float) -> float:
        return round(moment - began, 3)

    events = (
        replace(one, injected=since(one.injected), healed=since(one.healed), well=since(one.well))
        for one in report.events
    )
    requests = (replace(one, began=since(one.began)) for one in report.requests)
    return replace(report, events=tuple(events), requests=tuple(requests))


def write(report: Report) -> None:
    (FOLDER / f"{report.name}.txt").write_text(reports.text(report) + "\n")
    (FOLDER / f"{report.name}.json").write_text(json.dumps(reports.as_json(report), indent=2))
    (FOLDER / f"{report.name}.svg").write_text(picture(report))


@contextmanager
def _ledger(name: str) -> Iterator[Callable[[Request], None]]:
    """Each request is on disk as soon as it was answered, whatever ends the drill."""
    with (FOLDER / f"{name}.ledger.jsonl").open("w", buffering=1) as ledger:
        yield lambda request: print(json.dumps(asdict(request)), file=ledger)


def _strike(lab: Lab, load: Load, fault: Fault, chance: random.Random) -> Event:
    hit = targets(lab, fault.role, chance)
    said = f"{', '.join(map(str, hit))} {fault.what}"
    undo = tuple(dict.fromkeys(command for one in hit for command in fault.undo(one)))
    with guarded(undo):
        injected = time.monotonic()
        say("drill", said)
        commands = [command for one in hit for command in fault.do(one)]
        together({str(number): partial(run, one) for number, one in enumerate(commands)})
        _last(load, injected)
    healed = time.monotonic()
    say("drill", f"taken back after {healed - injected:.1f} s")
    lab.reconnect()
    _wait_well(lab)
    well = time.monotonic()
    say("drill", f"all is well {well - healed:.1f} s later")
    return Event(fault.name, said, injected, healed, well)


def _last(load: Load, injected: float) -> None:
    """The fault's time: until the users got over it, if they do."""
    while (now := time.monotonic()) < injected + LONGEST:
        served = {one.kind for one in load.requests if one.began > injected and not one.wrong}
        if now > injected + SHORTEST and served.issuperset(KINDS):
            return
        time.sleep(POLL)


def _wait_well(lab: Lab) -> None:
    wait_until(
        "the lab, after the fault was taken back",
        lambda: [f"{one.check}: {one.evidence}" for one in diagnose(examine(lab))],
        lambda findings: not findings,
        seconds=HEALED,
        advice=lambda _: "`fab doctor`, `fab up`",
    )


def _require_well(lab: Lab) -> None:
    findings = diagnose(examine(lab))
    if findings:
        names = ", ".join(finding.check for finding in findings)
        raise LabError(f"drill: begins in a healthy lab alone, and this one is not: {names}")


def forgetting(lab: Lab) -> tuple[Command, ...]:
    """Removes what any drill's users have left."""
    for node in lab.topology.names:
        for running in lab.nodes[node].observe().running:
            if running.service in WEB and running.service != "nginx":
                remove = ("python", "manage.py", "remove_accounts", PREFIX)
                return (Command(node, ("docker", "exec", running.name, *remove)),)
    raise LabError("drill: no Django runs: `fab up`")
