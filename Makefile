# Each target is one step; the work is done by fab, pytest and Vagrant.
.PHONY: up test test-all test-vm check destroy

up: host
	.venv/bin/fab up

test: host-test
	provision/own .venv/bin/python -m tests

test-all: host-test
	provision/own .venv/bin/python -m tests --all

test-vm: host-test-vm
	provision/own .venv/bin/python -m tests --vm

check: environment
	provision/own .venv/bin/python -m tests --check

destroy: environment
	.venv/bin/fab destroy

.PHONY: host host-test host-test-vm environment
host:
	provision/host.sh

host-test:
	provision/host.sh test

host-test-vm:
	provision/host.sh test-vm

environment:
	provision/host.sh environment
