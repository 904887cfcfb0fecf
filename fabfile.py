"""The lab's tasks: `fab --list`."""

from invoke import Collection

from lab.tasks import commands

namespace = Collection.from_module(commands)
