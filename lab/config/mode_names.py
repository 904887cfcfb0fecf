"""The names of the modes: what lab.yml may say."""

from typing import Literal, get_args

ModeName = Literal["default-bridge", "custom-bridge", "unix-socket", "all-in-one", "separate-hosts"]

# Of the lab as a whole, not of a web service.
OVERLAY = "overlay"

MODES: tuple[ModeName, ...] = get_args(ModeName)
MODES_OF_ONE_NODE: tuple[ModeName, ...] = MODES[:-1]
