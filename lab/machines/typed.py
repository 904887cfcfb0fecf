"""Advice for Vagrant's machines as it is for hosts of one's own. Pure."""

from __future__ import annotations

import re

WAY = "ssh -F .lab/ssh_config"
# In this order.
INSTEAD = (
    (re.compile(r"vagrant ssh (\S+) (?:-c|--command) "), rf"{WAY} \1 "),
    (re.compile(r"vagrant ssh "), f"{WAY} "),
    (re.compile(r"(run )?`vagrant up` or `make up`"), r"\1`make up`"),
    (re.compile(r"see `vagrant status (\S+)`, bring it up with `make up`"), r"see that host \1"),
    (re.compile(r"`vagrant reload (\S+)`"), r"restart that host"),
    (re.compile(r"vagrant (?:up|provision)(?: [a-z0-9-]+)*"), "make up"),
)


def for_own_hosts(text: str) -> str:
    """The same advice, of what there is without Vagrant."""
    for pattern, words in INSTEAD:
        text = pattern.sub(words, text)
    return text
