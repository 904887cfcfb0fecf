#!/usr/bin/env bash
# Takes from a host of one's own what the lab has brought, by the program that lies there. May be run again. Run as root.
# usage: remove.sh NAME FOLDER MACHINE SINCE   (whose it is, as the host told; empty if a lab was only about to come)
set -euo pipefail

STATE=/var/lib/lab
LOCK=/run/lock/lab-node

main() {
  exec 9> $LOCK
  flock 9
  if [ -e $STATE/brought/brought ]; then exec bash $STATE/brought/brought remove "$@"; fi
  rm -rf $STATE/brought.partial
  rmdir --ignore-fail-on-non-empty $STATE
  rm -f $LOCK
  echo "lab: is as it was"
}

main "$@"
