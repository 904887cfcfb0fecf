"""mysqld as a child of this process, which is process 1: started, ended, and started again."""

import os
import signal
import threading

MYSQLD = ("mysqld", "--defaults-file=/etc/my.cnf")
RESTART = 16  # mysqld's exit status when it asks to be started again, as after a clone


class Mysqld:
    """One at a time. Its process id is signalled and reaped under one lock: never another's."""

    def __init__(self) -> None:
        self._pid = 0
        self._wanted = True
        self._lock = threading.Lock()

    @property
    def runs(self) -> bool:
        return self._pid != 0

    def start(self) -> None:
        """Nothing once it has been told to end."""
        # It tells mysqld that somebody starts it again: it then ends with RESTART, not an error.
        environment = {**os.environ, "MYSQLD_PARENT_PID": str(os.getpid())}
        with self._lock:
            if self._wanted:
                # Python ignores these two, and a child would go on ignoring them.
                ignored = (signal.SIGPIPE, signal.SIGXFSZ)
                self._pid = os.posix_spawnp(MYSQLD[0], MYSQLD, environment, setsigdef=ignored)

    def end(self) -> None:
        """Shuts it down, for good."""
        with self._lock:
            self._wanted = False
            self._send(signal.SIGTERM)

    def kill(self) -> None:
        with self._lock:
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._pid:
            os.kill(self._pid, number)

    def ended(self) -> int | None:
        """Its exit status once it has ended, minus the signal's number if by one; told once.

        Reaps orphans, too.
        """
        with self._lock:
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    return None
                if pid == 0:
                    return None
                if pid == self._pid:
                    self._pid = 0
                    return os.waitstatus_to_exitcode(status)
