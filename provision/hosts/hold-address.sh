#!/usr/bin/env bash
# Holds an address beside this host's own for as long as standard input is open; prints `held`.
# The kernel takes it away after some seconds, whatever becomes of this program. Run as root.
# usage: hold-address.sh OWN ADDRESS SECONDS
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

own=$1 address=$2 seconds=$3

main() {
  interface=$(ip -o -4 address show to "$own" | awk '{print $2; exit}')
  trap 'ip address delete "$address/32" dev "$interface"' EXIT
  trap 'exit 1' INT TERM HUP
  ip address add "$address/32" dev "$interface" valid_lft "$seconds" preferred_lft "$seconds"
  echo held
  timeout "$seconds" cat >/dev/null || true
}

main
