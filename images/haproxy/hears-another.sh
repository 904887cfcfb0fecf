#!/bin/bash
# Usage: hears-another.sh ADDRESS...
# Succeeds as soon as one of these nodes answers, if only by refusing: nobody listens on the discard port.
# All are asked at once, and long enough for a second SYN, as the first may be lost. keepalived runs it every second:
# bash asks by itself, since a program for each node would take twice as much of the processor.
set -u
export LC_ALL=C
readonly patience=2.5 # seconds

# Says how it ended, in a line of its own.
ask() { # ADDRESS
  { : <>"/dev/tcp/$1/9"; } 2>&1
}

main() {
  local address line left=$# asked=()
  exec 3<> <(:) # a pipe
  # shellcheck disable=SC2064 # those that are asked by then
  trap 'kill "${asked[@]}" 2>/dev/null' EXIT
  for address; do
    ask "$address" >&3 &
    asked+=($!)
  done
  while ((left > 0)) && read -r -t "$patience" -u 3 line; do
    case $line in
      *'connect: Connection refused') exit 0 ;;
      *'connect: '*) left=$((left - 1)) ;;
    esac
  done
  exit 1
}

main "$@"
