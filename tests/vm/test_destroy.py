"""What is left of two virtual machines once they are destroyed: nothing."""

from lab.config.paths import FOLDER
from tests.vm.machines import run, virsh


def test_destroying_leaves_nothing(booted):
    run(str(FOLDER / ".venv" / "bin" / "fab"), "destroy", processor=600)
    assert virsh("list", "--all", "--name").split() == []
    assert virsh("net-list", "--all", "--name").split() == []
    volumes = virsh("vol-list", "default").splitlines()[2:]
    # The box's own disk, which other labs' machines may lie on.
    assert [line.split()[0] for line in volumes if line.split() and "_box_image_" not in line] == []
    assert "192.168.79." not in run("iptables-save")[1]
    assert "virbr" not in run("ip", "-brief", "link")[1]
