#!/bin/bash
# Usage: hears-another.sh ADDRESS...
# Succeeds as soon as one of these nodes answers, if only by refusing: nobody listens on the discard port.
# All are asked at once, and long enough for a second SYN, as the first may be lost.
set -u
export LC_ALL=C

# One process each, as the container may have few, and one may outlive this script.
hears() { # ADDRESS
  [[ $(exec socat /dev/null "TCP4:$1:9,connect-timeout=2.5" 2>&1) == *'Connection refused'* ]]
}

main() {
  local address
  trap 'kill $(jobs -p) 2> /dev/null' EXIT
  for address; do hears "$address" & done
  for address; do
    if wait -n; then exit 0; fi
  done
  exit 1
}

main "$@"
