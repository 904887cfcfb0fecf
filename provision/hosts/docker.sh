#!/usr/bin/env bash
# Tells what the Docker of a host of one's own has, a line each, or where the data lies of one that does not run; changes
# nothing. Run as root.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

DATA=(/var/lib/docker /var/lib/containerd)

main() {
  if systemctl is-active --quiet docker; then in_docker; else left_data; fi
}

in_docker() {
  command -v docker >/dev/null || {
    echo "lab: its Docker can't be asked what it has: install docker-cli there" >&2
    exit 1
  }
  docker ps --all --format 'container {{.Names}}'
  docker volume ls --format 'volume {{.Name}}'
  docker image ls --format 'image {{.Repository}}:{{.Tag}}'
  docker network ls --filter type=custom --format 'network {{.Name}}'
  docker info --format '{{if ne .Swarm.LocalNodeState "inactive"}}swarm {{.Swarm.LocalNodeState}}{{end}}'
  ! command -v ctr >/dev/null || other_namespaces
}

# Of others who use the same containerd.
other_namespaces() {
  local name names held
  names=$(ctr namespaces list --quiet)
  for name in $names; do
    held=$(in_namespace "$name")
    [ "$name" = moby ] || [ -z "$held" ] || echo "namespace $name of containerd"
  done
}

in_namespace() { # name
  ctr --namespace "$1" containers list --quiet
  ctr --namespace "$1" images list --quiet
}

left_data() {
  local folder
  for folder in "${DATA[@]}"; do
    [ ! -e "$folder" ] || [ -z "$(ls -A "$folder")" ] || echo "data $folder"
  done
}

main
