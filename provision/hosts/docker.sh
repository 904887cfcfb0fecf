#!/usr/bin/env bash
# Tells what the Docker of a host of one's own has, a line each; changes nothing. Run as root.
set -u
export LC_ALL=C

main() {
  systemctl is-active --quiet docker || return 0
  docker ps --all --format 'container {{.Names}}'
  docker volume ls --format 'volume {{.Name}}'
  docker image ls --format 'image {{.Repository}}:{{.Tag}}'
  docker network ls --filter type=custom --format 'network {{.Name}}'
  docker info --format '{{if ne .Swarm.LocalNodeState "inactive"}}swarm {{.Swarm.LocalNodeState}}{{end}}'
}

main
