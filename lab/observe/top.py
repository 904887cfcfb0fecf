"""A live view of the lab: all nodes are asked at once, each over a connection that stays."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing, suppress
from functools import partial
from threading import Thread

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from lab.context import Lab
from lab.engine.ssh import Node
from lab.errors import LabError
from lab.observe import rates
from lab.observe.rates import NODES, SITE, Row, Samples

# The only one that may read what is known of the ring.
CASSANDRA_ADMIN = "lab_admin"
# Seconds. A node that said nothing for so long does not answer.
SILENCE = 4.0
# For the first two samples of each node.
FIRST = 15.0
POLL = 0.1


class View:
    """The last samples of each node, kept up by one thread per node."""

    def __init__(self, lab: Lab) -> None:
        account = {"user": CASSANDRA_ADMIN, "password": lab.secrets["cassandra_admin_password"]}
        self._account = json.dumps(account) + "\n"
        self.seen = dict.fromkeys(lab.topology.names, Samples())
        for name in self.seen:
            # Ends with the program; what runs on the node ends with its connection.
            Thread(target=partial(self._keep_up, name), daemon=True).start()

    def _keep_up(self, name: str) -> None:
        while True:
            try:
                with closing(Node(name)) as node:
                    for line in node.lines("lab-sample", text=self._account, seconds=SILENCE):
                        self.seen[name] = self.seen[name].then(json.loads(line))
            except LabError as error:
                self.seen[name] = Samples(trouble=str(error).partition(": ")[2])
            # A node that refused, or is away, is not asked again at once.
            time.sleep(1)

    def wait(self) -> None:
        """Until there are rates of each node, or it is known not to answer."""
        deadline = time.monotonic() + FIRST
        while not all(one.complete for one in self.seen.values()) and time.monotonic() < deadline:
            time.sleep(POLL)

    def tables(self) -> Group:
        seen = dict(self.seen)
        return Group(_table(SITE, rates.site(seen), 2), _table(NODES, rates.nodes(seen), 3))


def show(lab: Lab, seconds: float, *, once: bool) -> None:
    """Until Ctrl-C, or for so many seconds (0: no end); once: prints it and ends."""
    lab.require_up()
    view = View(lab)
    console = Console(width=None if sys.stdout.isatty() else 160)
    if once or not console.is_terminal:
        view.wait()
        console.print(view.tables())
        return
    began = time.monotonic()
    # The usual end: with the screen as it was before.
    with (
        suppress(KeyboardInterrupt),
        Live(get_renderable=view.tables, console=console, refresh_per_second=1, screen=True),
    ):
        while not seconds or time.monotonic() < began + seconds:
            time.sleep(POLL)


def _table(headings: tuple[str, ...], rows: list[Row], text_columns: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        text = number < text_columns or not heading
        table.add_column(heading, justify="left" if text else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row.cells, style="" if row.well else "red")
    return table
