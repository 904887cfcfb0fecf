"""Where `make test-vm` keeps what it makes, and the lab that its machines are of."""

import os

from lab.config.paths import FOLDER

STATE = FOLDER / ".lab" / "vm"
# What the next run takes as it is.
BOX = STATE / "lab.box"
IMAGES = STATE / "images"
# What begins empty, and is removed at the end. CLONE: a copy of this folder, in which nothing was
# run before.
RUN = STATE / "run"
CLONE = RUN / "clone"
BOXES = RUN / "vagrant"

ENVIRONMENT = os.environ | {
    "LAB_NAME": "vm",
    "LAB_SUBNET": "192.168.79.0/24",
    "VAGRANT_DEFAULT_PROVIDER": "libvirt",
    "VAGRANT_HOME": str(BOXES),
    "VAGRANT_NO_COLOR": "1",
    # There is no way out.
    "VAGRANT_CHECKPOINT_DISABLE": "1",
}
# Of the four in lab.yml.
MACHINES = ("ubuntu1", "ubuntu2")
ADDRESSES = {"ubuntu1": "192.168.79.11", "ubuntu2": "192.168.79.12"}
# This machine's own address on the lab's network.
HERE = "192.168.79.1"
