#!/usr/bin/env bash
# Vagrant's shell provisioner: makes a machine a node of the lab. May be run again.
# Expects provision/node in /tmp/lab-node, extra certificate authorities in /tmp/lab-authorities, and
#   LAB_ADDRESS           the node's address on the lab's network
#   LAB_HOSTS             ADDRESS=NAME of every node, comma-separated
#   LAB_PROVIDER          docker, virtualbox or libvirt
#   LAB_PROVISION_DIGEST  what provision/node-digest printed
set -euo pipefail

install_packages() {
  local missing
  missing=$(xargs dpkg-query --show --showformat '' < /tmp/lab-node/packages 2>&1 || true)
  [ -n "$missing" ] || return 0
  apt-get update --quiet=2
  DEBIAN_FRONTEND=noninteractive xargs apt-get install --yes --quiet=2 --no-install-recommends < /tmp/lab-node/packages
}

trust_authorities() {
  [ -d /tmp/lab-authorities ] || return 0
  install --mode 0644 /tmp/lab-authorities/*.crt /usr/local/share/ca-certificates/
  update-ca-certificates >/dev/null 2>&1
}

name_nodes() {
  # The docker provider's own /etc/hosts names them already.
  [ "$LAB_PROVIDER" != docker ] || return 0
  sed -i '/# lab$/d' /etc/hosts
  tr ',=' '\n ' <<< "$LAB_HOSTS" | sed 's/$/ # lab/' >> /etc/hosts
}

bind_ssh() {
  # A virtual machine's Vagrant comes in over another interface.
  [ "$LAB_PROVIDER" = docker ] || return 0
  echo "ListenAddress $LAB_ADDRESS" > /etc/ssh/sshd_config.d/lab-address.conf
  systemctl reload ssh
}

prepare_folders() {
  install -d /etc/lab /etc/lab/addressed /etc/docker
  install -d -m 0711 /etc/lab/secrets
  echo "$LAB_ADDRESS" > /etc/lab/address
  echo "$LAB_PROVIDER" > /etc/lab/provider
  ip -o -4 address show to "$LAB_ADDRESS" | awk '{print "interface", $2; exit}' > /etc/lab/interface.conf
  # The registry's user (images/registry/Dockerfile).
  install -d -o 10006 -g 10006 -m 0700 /var/cache/lab/registry
}

# Whole folders, so that no file of theirs can be forgotten.
install_files() {
  install -d /usr/local/lib/lab/lab_node
  install -m 0755 -t /usr/local/sbin /tmp/lab-node/sbin/* /tmp/lab-node/files/lab-base-image
  install -m 0644 -t /usr/local/lib/lab/lab_node /tmp/lab-node/lab_node/*.py
  install -m 0644 -t /etc/systemd/system /tmp/lab-node/etc/systemd/system/*
  install -m 0644 -t /etc/sysctl.d /tmp/lab-node/etc/sysctl.d/*
}

# The programs that an earlier version of the lab had, and this one has not.
remove_former_programs() {
  local program
  for program in /usr/local/sbin/lab[-_]* /usr/local/lib/lab/lab_node/*.py; do
    compgen -G "/tmp/lab-node/*/${program##*/}" >/dev/null || rm "$program"
  done
  # Of a module that lay beside the programs.
  rm -rf /usr/local/sbin/__pycache__
}

configure_kernel() {
  sysctl --quiet --load /etc/sysctl.d/lab.conf
}

configure_docker() {
  usermod --append --groups docker vagrant
  if ! cmp --silent /tmp/lab-node/etc/docker/daemon.json /etc/docker/daemon.json; then
    install -m 0644 /tmp/lab-node/etc/docker/daemon.json /etc/docker/daemon.json
    systemctl restart docker
  fi
}

start_units() {
  systemctl daemon-reload
  systemctl enable --quiet docker lab-firewall lab-follow
  # Not restarted: Docker, which requires it, would be too.
  systemctl reload-or-restart lab-firewall
  systemctl restart lab-follow
}

main() {
  # What is half done is not provisioned, whatever it was before.
  rm -f /etc/lab/provisioned
  install_packages
  trust_authorities
  name_nodes
  bind_ssh
  prepare_folders
  install_files
  remove_former_programs
  configure_kernel
  configure_docker
  start_units
  rm -rf /tmp/lab-node /tmp/lab-authorities
  echo "$LAB_PROVISION_DIGEST" > /etc/lab/provisioned
}

main
