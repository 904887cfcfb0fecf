"""Vagrant's half of the lab, asked without Vagrant."""

import json
import os
import shutil
import subprocess

import pytest

from lab.config.paths import FOLDER

# Where Vagrant is not Debian's it brings its own.
RUBY = shutil.which("ruby") or shutil.which("ruby", path="/opt/vagrant/embedded/bin")


def ask(program, given=None, **environment):
    """What a program in Ruby prints as JSON. It finds what it is given, as JSON, in `given`."""
    if RUBY is None:
        pytest.skip("there is no Ruby on this machine yet: `make up` installs Vagrant")
    begin = f"require 'json'; Dir.chdir({str(FOLDER)!r}); given = JSON.parse($stdin.read)\n"
    done = subprocess.run(
        (RUBY, "-e", begin + program),
        input=json.dumps(given),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def refusals(wanted, all_made):
    """Why Vagrant may not go on with machines that were made so, each time."""
    program = """
    require './provision/machines'
    wanted, all = given
    puts JSON.generate(all.map { |made| Machines.refusal(made, wanted) })
    """
    return ask(program, [wanted, all_made])
