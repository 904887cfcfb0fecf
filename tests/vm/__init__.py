"""Two nodes as real virtual machines, by libvirt and emulation: `make test-vm`."""
