"""What the lab's machines are called and made with (.lab/machines.json).

provision/lab.rb knows it of Vagrant's, and writes it before they are brought up; of hosts of one's
own lab/hosts/ does.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.config.paths import FOLDER
from lab.config.topology import OWN_HOSTS, MachineSettings, NodeSettings, Record, Topology
from lab.errors import LabError
from lab.secrets.private import write as write_private

FILE = FOLDER / ".lab" / "machines.json"
WAY = "run `make up`"


class MadeFrom(Record):
    """What decides how machines are made, but for provision/lab.rb itself.

    image: the digest of what the node image is built from.
    """

    subnet: str
    builder: str
    nodes: dict[str, NodeSettings]
    machines: MachineSettings | None = None
    image: str


class Made(BaseModel):
    """One machine. name: its provider's for it; volumes: NAME:PATH, those that outlive it.

    Of a host of one's own the name is USER@ADDRESS; port and key: of the way there, as lab.yml had
    them.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    volumes: tuple[str, ...]
    port: int | None = None
    key: str | None = None


class Machines(BaseModel):
    """The machines of one lab. made_from: None while some are made from something else."""

    model_config = ConfigDict(frozen=True)

    name: str
    provider: str
    made_from: MadeFrom | None
    machines: dict[str, Made] = Field(min_length=1)

    def called(self, node: str) -> str:
        """What its provider calls a node. Raises LabError for one that is not made yet."""
        if node not in self.machines:
            raise LabError(f"{node} is not made yet: {WAY}")
        return self.machines[node].name

    def container(self, node: str) -> str:
        """The node as a container of this machine; empty if it is a virtual machine.

        Raises LabError for a node that is not made yet.
        """
        name = self.called(node)
        return name if self.provider == "docker" else ""

    @property
    def volumes(self) -> tuple[str, ...]:
        """The names of the volumes that outlive the machines."""
        return tuple(
            volume.partition(":")[0]
            for machine in self.machines.values()
            for volume in machine.volumes
        )


def load(name: str) -> Machines:
    """The machines of the lab of this name. Raises LabError if nothing here tells of them."""
    try:
        found = Machines.model_validate_json(FILE.read_bytes())
    except FileNotFoundError:
        missing = f"nothing tells of the machines of the lab '{name}' (no .lab/{FILE.name}): {WAY}"
        raise LabError(missing) from None
    except ValidationError:
        raise LabError(f"{FILE} is damaged: {WAY}, which writes it anew") from None
    if found.name != name:
        raise LabError(f"{FILE} tells of the lab '{found.name}', not of '{name}': {WAY}")
    return found


def write(machines: Machines) -> None:
    """Writes down hosts of one's own, as provision/lab.rb does Vagrant's machines."""
    write_private(FILE, machines.model_dump_json(indent=2, exclude_none=True) + "\n")


def on_own_hosts(name: str) -> bool:
    """Whether the lab of this name is on hosts of one's own, as far as this folder knows."""
    try:
        return load(name).provider == OWN_HOSTS
    except LabError:
        return False


def as_wanted(topology: Topology, image: str) -> bool:
    """Whether all machines are made as the lab wants them, as far as is known here."""
    wanted = MadeFrom(
        subnet=str(topology.subnet),
        builder=topology.builder,
        nodes=topology.settings.nodes,
        machines=topology.settings.machines,
        image=image,
    )
    try:
        return load(topology.name).made_from == wanted
    except LabError:
        return False
