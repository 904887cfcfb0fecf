"""Runs drills: users write a ledger, a fault is injected and taken back, the ledger is compared."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from threading import Event

from lab.config.modes import BACKS
from lab.config.paths import REPORTS
from lab.context import Lab
from lab.deploy import swarm
from lab.doctor.checks import data, disks, machine
from lab.doctor.diagnosis import Check, diagnose
from lab.doctor.examine import examine
from lab.doctor.status import status
from lab.drills import evidence
from lab.drills import report as reports
from lab.drills.faults import OF_POWER, Action, Fault, Make, Target, faults
from lab.drills.guard import Guard, guard, run
from lab.drills.ledger import KINDS, Request, verdict
from lab.drills.load import Load
from lab.drills.picture import picture
from lab.drills.report import Incident, Report
from lab.drills.targets import targets
from lab.engine.progress import say, together
from lab.engine.ssh import wait_until
from lab.errors import LabError

DRILL_REPORTS = REPORTS / "drills"
PREFIX = "drill-"

# Seconds. Until all is well, before a fault and after it was taken back; until the users are served
# then; that a fault lasts at least, and at most if the lab does not get over it by itself; within
# which every kind of request was answered well, if it does.
WELL_BEFORE, WELL_AFTER, SERVED, SHORTEST, LONGEST, RECENT = 30.0, 300.0, 60.0, 12.0, 60.0, 6.0
POLL = 0.2

Chosen = Iterable[tuple[Fault, random.Random]]


def known(lab: Lab) -> dict[str, Fault]:
    """Those that this lab can have."""
    without = {"registry"} if lab.topology.settings.registry else set()
    every, lacking = faults(lab.topology.names), powerless(lab)
    return {
        name: fault
        for name, fault in every.items()
        if fault.role not in without and name not in lacking
    }


def powerless(lab: Lab) -> frozenset[str]:
    """The drills that this lab can't have because its machines are hosts of one's own."""
    if not lab.topology.own_hosts:
        return frozenset()
    every = faults(lab.topology.names)
    return frozenset(name for name, fault in every.items() if fault.do in OF_POWER)


def run_all(lab: Lab, name: str, minutes: int, seed: int) -> Iterator[Report]:
    """The drill of this name, or `all`, or `soak`; yields each report when it is done."""
    with _locked(lab, f"drill {name}") as hold:
        if name == "soak":
            report = soak(lab, minutes, seed, hold)
            (DRILL_REPORTS / "soak.md").write_text(
                reports.table((*reports.each_incident(report), report))
            )
            yield report
            return
        done: list[Report] = []
        for fault in known(lab).values() if name == "all" else (known(lab)[name],):
            hold()
            # One that the lab did not get over has left it more to do.
            patience = WELL_AFTER if done and not done[-1].well else WELL_BEFORE
            done.append(drill(lab, fault, patience))
            if name == "all":
                (DRILL_REPORTS / "all.md").write_text(reports.table(done))
            yield done[-1]


def drill(lab: Lab, fault: Fault, patience: float = WELL_BEFORE) -> Report:
    """One fault. Raises LabError if the lab is not well beforehand, within so many seconds."""
    # Of several that it may hit, always the same one.
    chosen = [(fault, random.Random(fault.name))]  # noqa: S311
    return in_turn(lab, fault.name, chosen, patience=patience)


def soak(lab: Lab, minutes: int, seed: int, hold: Callable[[], None]) -> Report:
    """Faults drawn by chance, none again before all others. The same seed draws the same ones.

    minutes: how long; 0: until each fault was injected once.
    hold: makes sure that nobody else changes the lab.
    """
    ends = time.monotonic() + minutes * 60
    chance = random.Random(seed)  # noqa: S311 - for what can be repeated
    drawn = list(known(lab).values())

    def chosen() -> Iterator[tuple[Fault, random.Random]]:
        for number in count() if minutes else range(len(drawn)):
            left = ends - time.monotonic()
            if minutes and left < 0:
                return
            if number % len(drawn) == 0:
                chance.shuffle(drawn)
            hold()
            fault = drawn[number % len(drawn)]
            end = (
                f"{left / 60:.0f} minutes to go"
                if minutes
                else f"{len(drawn) - number - 1} more to go"
            )
            say("soak", f"{number + 1}: {fault.name}, {end}")
            yield fault, chance

    return in_turn(lab, "soak", chosen(), seed)


def in_turn(
    lab: Lab,
    name: str,
    chosen: Chosen,
    seed: int | None = None,
    patience: float = WELL_BEFORE,
) -> Report:
    """Faults one after another, under the same users. What was promised is compared, and told, also
    if the lab does not get well again.

    Raises LabError if it can't be compared.
    """
    if lab.topology.overlay or swarm.active(lab):
        raise LabError("drill: knows no stack's containers: `fab deploy` ends the stack")
    _wait_well(lab, patience)
    prefix = f"{PREFIX}{secrets.token_hex(4)}-"
    with (
        guard(DRILL_REPORTS / "guard.log") as guarding,
        guarding.standing(forgetting(lab)) as accounts,
    ):
        with _ledger(name) as note:
            password = lab.secrets["django_admin_password"]
            load = Load(lab.topology.virtual_address, password, prefix, note)
            began = time.monotonic()
            incidents, trouble = _strike_all(lab, load, guarding, chosen)
        say("drill", "comparing the ledger with what is there")
        try:
            result = verdict(load.requests, evidence.look(lab, load))
        except LabError as error:
            accounts.keep()
            raise LabError("\n".join(filter(None, (trouble, str(error))))) from None
        report = _since(began, Report(name, incidents, tuple(load.requests), result, seed, trouble))
        _write(report)
        if not report.well:
            say("drill", f"the accounts {prefix}* stay, for whoever looks into it")
            accounts.keep()
    return report


def _strike_all(
    lab: Lab, load: Load, guarding: Guard, chosen: Chosen
) -> tuple[tuple[Incident, ...], str]:
    """The incidents, and what kept the lab from getting well again after the last of them."""
    incidents: list[Incident] = []
    with load.running():
        try:
            _wait_served(load, time.monotonic())
            for fault, chance in chosen:
                incidents.append(_strike(lab, load, guarding, fault, chance))
        except LabError as error:
            return tuple(incidents), str(error)
    return tuple(incidents), ""


def _strike(lab: Lab, load: Load, guarding: Guard, fault: Fault, chance: random.Random) -> Incident:
    hit = targets(lab, fault.role, chance)
    with _prepared(lab, load, guarding, fault, hit):
        return _inject(lab, load, guarding, fault, hit)


def _inject(
    lab: Lab, load: Load, guarding: Guard, fault: Fault, hit: tuple[Target, ...]
) -> Incident:
    said = f"{', '.join(map(str, hit))} {fault.what}"
    with guarding.standing(_commands(fault.undo, hit)):
        injected = time.monotonic()
        say("drill", said)
        commands = _commands(fault.do, hit)
        together({str(number): partial(run, command) for number, command in enumerate(commands)})
        _last(load, time.monotonic(), SHORTEST if fault.outage else LONGEST)
        undoing = time.monotonic()
        say("drill", f"is taken back after {undoing - injected:.1f} s")
    undone = time.monotonic()
    lab.reconnect()
    _wait_well(lab, WELL_AFTER, _small_disks(hit))
    well = time.monotonic()
    say("drill", f"all is well {well - undoing:.1f} s later")
    _wait_served(load, well)
    return Incident(fault.name, said, injected, undoing, undone, well)


@contextmanager
def _prepared(
    lab: Lab, load: Load, guarding: Guard, fault: Fault, hit: tuple[Target, ...]
) -> Iterator[None]:
    """What the fault needs, while the users rest: it is no part of what is counted."""
    prepare, restore = _commands(fault.prepare, hit), _commands(fault.restore, hit)
    if not prepare:
        yield
        return
    with ExitStack() as standing:
        with load.resting():
            say("drill", f"{fault.name}: prepared while the users rest")
            standing.enter_context(guarding.standing(restore))
            for command in prepare:
                run(command)
            _wait_well(lab, WELL_AFTER, _small_disks(hit))
        _wait_served(load, time.monotonic())
        yield
        with load.resting():
            say("drill", f"{fault.name}: what it needed is taken back while the users rest")
            standing.close()
            _wait_well(lab, WELL_AFTER)
        _wait_served(load, time.monotonic())


def _small_disks(hit: tuple[Target, ...]) -> frozenset[str]:
    return frozenset(disks.small_disk_name(target.node, target.container) for target in hit)


def _commands(make: Make, hit: tuple[Target, ...]) -> tuple[Action, ...]:
    return tuple(dict.fromkeys(command for target in hit for command in make(target)))


def _last(load: Load, struck: float, longest: float) -> None:
    """The fault's time: until the users got over it, if they do."""
    while (now := time.monotonic()) < struck + longest:
        # An answer of the first moments may have been the last one.
        if now > struck + SHORTEST and load.served_since(now - RECENT).issuperset(KINDS):
            return
        time.sleep(POLL)


def _wait_served(load: Load, moment: float) -> None:
    """Also until nobody waits any more for what was asked before: that is this fault's, too."""
    wait_until(
        "every kind of request answered well",
        lambda: load.served_since(moment),
        lambda kinds: kinds.issuperset(KINDS) and not load.waiting_since_before(moment),
        seconds=SERVED,
        advice=lambda _: "`fab doctor`",
    )


def not_well(
    checks: Sequence[Check], servers: frozenset[str], expected: frozenset[str]
) -> list[str]:
    """What the doctor finds, a line each.

    The users and the doctor on one machine make answers late: that alone is no finding. But each
    of the servers, the databases' own checks, has to be well, judged or not: with one of three
    away, the next fault would take the majority.
    expected: checks that may fail.
    """
    evidence_of = {
        finding.check: finding.evidence
        for finding in diagnose(checks)
        if finding.check != machine.NAME
    }
    evidence_of |= {c.name: c.failure.evidence for c in checks if c.failure and c.name in servers}
    return [f"{name}: {evidence}" for name, evidence in evidence_of.items() if name not in expected]


def _wait_well(lab: Lab, seconds: float, expected: frozenset[str] = frozenset()) -> None:
    """expected: checks that may fail, as the drill itself makes them fail."""
    servers = data.server_checks(lab.topology)

    def look() -> list[str]:
        # What the doctor does costs the users of two cores: it is called to those who look well.
        if troubles := status(lab).troubles():
            return troubles
        return not_well(examine(lab), servers, expected)

    wait_until(
        "a lab that is well",
        look,
        lambda findings: not findings,
        seconds=seconds,
        advice=lambda _: "`fab doctor`, `fab up`",
    )


def _since(began: float, report: Report) -> Report:
    """With seconds since the drill began."""

    def since(moment: float) -> float:
        return round(moment - began, 3)

    incidents = (
        replace(
            incident,
            injected=since(incident.injected),
            undoing=since(incident.undoing),
            undone=since(incident.undone),
            well=since(incident.well),
        )
        for incident in report.incidents
    )
    requests = (replace(one, began=since(one.began)) for one in report.requests)
    return replace(report, incidents=tuple(incidents), requests=tuple(requests))


def _write(report: Report) -> None:
    (DRILL_REPORTS / f"{report.name}.txt").write_text(reports.text(report) + "\n")
    (DRILL_REPORTS / f"{report.name}.json").write_text(
        json.dumps(reports.as_json(report), indent=2)
    )
    (DRILL_REPORTS / f"{report.name}.svg").write_text(picture(report))


@contextmanager
def _ledger(name: str) -> Iterator[Callable[[Request], None]]:
    """Each request is in the file as soon as it was answered, whatever ends the drill."""
    with (DRILL_REPORTS / f"{name}.ledger.jsonl").open("w", buffering=1) as ledger:

        def note(request: Request) -> None:
            ledger.write(json.dumps(asdict(request)) + "\n")

        yield note


def forgetting(lab: Lab) -> tuple[Action, ...]:
    """Removes what any drill's users have left."""
    for node in lab.topology.names:
        for running in lab.nodes[node].observe().running:
            if running.service in BACKS:
                remove = ("python", "manage.py", "remove_accounts", PREFIX)
                return (Action(node, ("docker", "exec", running.name, *remove)),)
    raise LabError("drill: no Django runs: `fab up`")


@contextmanager
def _locked(lab: Lab, task: str) -> Iterator[Callable[[], None]]:
    """Like lab.changing, also if the builder, which keeps the lock, goes down meanwhile.

    Yields what takes the lock again then. Raises LabError if somebody else was faster.
    """
    lost = Event()
    with ExitStack() as held:

        def hold() -> None:
            lost.clear()
            held.enter_context(lab.changing(task, lost=lost.set))

        def hold_again() -> None:
            if lost.is_set():
                hold()

        hold()
        yield hold_again
