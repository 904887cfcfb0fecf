#!/usr/bin/python3 -I
"""supervisord, ending with status 1 when a program is lost for good.

supervisord by itself goes on without that program, and ends with 0 whatever happened. Asked from
inside it, not by an event listener: that would be one more process that can die.
"""

import os
import signal
import sys
from contextlib import suppress

from supervisor import events
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

CONFIGURATION = "/usr/local/lib/webapp_allinone/supervisord.conf"
LOST = (events.ProcessStateFatalEvent, events.ProcessStateUnknownEvent)
ENDED = (
    events.ProcessStateBackoffEvent,
    events.ProcessStateExitedEvent,
    events.ProcessStateStoppedEvent,
)


class StrictSupervisor(Supervisor):
    lost = False

    def runforever(self) -> None:
        # Here, since run() clears the subscriptions before it comes here.
        for kind in LOST:
            events.subscribe(kind, self.give_up)
        for kind in ENDED:
            events.subscribe(kind, end_orphans)
        super().runforever()

    def ordered_stop_groups_phase_1(self) -> None:
        """Asks about once a second: a program that is only starting may have missed the signal."""
        super().ordered_stop_groups_phase_1()
        for group in (self.stop_groups or [])[-1:]:
            for process in group.processes.values():
                process.signal(process.config.stopsignal)

    def give_up(self, event: events.ProcessStateEvent) -> None:
        self.lost = True
        self.options.mood = SupervisorStates.SHUTDOWN


def end_orphans(event: events.ProcessStateEvent) -> None:
    """Workers of a killed master would keep its port, so that no new one could start."""
    # 0 if it was never started; as a group's number that would mean supervisord's own.
    if event.process.pid:
        with suppress(ProcessLookupError):
            os.killpg(event.process.pid, signal.SIGKILL)


def main() -> int:
    options = ServerOptions()
    options.realize(["--configuration", CONFIGURATION])
    options.first, options.test = True, False
    supervisor = StrictSupervisor(options)
    with suppress(ExitNow):
        supervisor.main()
    return 1 if supervisor.lost else 0


if __name__ == "__main__":
    sys.exit(main())
