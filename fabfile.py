"""The lab's tasks: `fab --list`."""

from invoke.collection import Collection

from lab.tasks import commands

namespace = Collection.from_module(commands)
