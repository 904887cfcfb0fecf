# Each target is one step; the work is done by fab, pytest and Vagrant.
.PHONY: up test test-all test-vm test-hosts check destroy

up: host
	.venv/bin/fab up

test: host-test
	provision/own .venv/bin/python -m tests

test-all: host-test
	provision/own .venv/bin/python -m tests --all

test-vm: host-test-vm
	provision/own .venv/bin/python -m tests --vm

test-hosts: host-test-hosts
	provision/own .venv/bin/python -m tests --hosts

check: environment
	provision/own .venv/bin/python -m tests --check

destroy: environment
	.venv/bin/fab destroy

.PHONY: host host-test host-test-vm host-test-hosts environment
host:
	provision/host.sh

host-test:
	provision/host.sh test

host-test-vm:
	provision/host.sh test-vm

host-test-hosts:
	VAGRANT_DEFAULT_PROVIDER=docker provision/host.sh

environment:
	provision/host.sh environment
