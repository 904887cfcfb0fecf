#!/usr/bin/env bash
# Tells whether a host answers at an address: `refused` or `open` if so, `silent` if not.
# usage: ask-address.sh ADDRESS PORT
set -u
export LC_ALL=C

main() {
  local said status
  said=$(timeout 4 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1)
  status=$?
  case $status:$said in
    0:*) echo open ;;
    *refused*) echo refused ;;
    *) echo silent ;;
  esac
}

main "$@"
