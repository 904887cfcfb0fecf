"""What is shown of all that Vagrant prints when it fails."""

import pytest

from lab.machines import failure

# As vagrant-libvirt 0.11 prints it, cut: one machine, and several at once.
QEMU = """==> ubuntu1: Starting domain.
/usr/share/rubygems/fog-libvirt/vm_action.rb:7:in `create': Call to virDomainCreate failed: \
internal error: qemu unexpectedly closed the monitor (Libvirt::Error)
2026-11-30T10:00:00Z qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69
\tfrom /usr/share/rubygems/fog-libvirt/vm_action.rb:7:in `vm_action'
\tfrom /usr/share/rubygems/fog-libvirt/server.rb:81:in `start'
\tfrom /usr/share/vagrant/action/warden.rb:48:in `block in call'
\t ... 78 levels...
\tfrom /usr/bin/vagrant:25:in `<main>'
"""
PARALLEL = """An error occurred while executing multiple actions in parallel.

An unexpected error occurred when executing the action on the
'ubuntu1' machine. Please report this as a bug:

Call to virDomainCreate failed: Cannot access storage file

/usr/share/rubygems/fog-libvirt/vm_action.rb:7:in `create'
/usr/share/vagrant/action/warden.rb:48:in `block in call'
/usr/lib/ruby/3.1.0/forwardable.rb:238:in 'Object#call'
"""


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (
            QEMU,
            [
                "==> ubuntu1: Starting domain.",
                "Call to virDomainCreate failed: internal error: qemu unexpectedly closed the"
                " monitor (Libvirt::Error)",
                "2026-11-30T10:00:00Z qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69",
            ],
        ),
        (
            PARALLEL,
            [
                "An error occurred while executing multiple actions in parallel.",
                "An unexpected error occurred when executing the action on the",
                "'ubuntu1' machine. Please report this as a bug:",
                "Call to virDomainCreate failed: Cannot access storage file",
            ],
        ),
        ("1\n2\n\n3\n4\n5\n6\n7\n", ["2", "3", "4", "5", "6", "7"]),
        ("", [""]),
    ],
)
def test_a_trace_does_not_hide_what_failed(text, end):
    assert failure.end_of(text.splitlines()).split("\n") == end
