#!/bin/bash
# Usage: hears-another.sh ADDRESS...
# Succeeds if one of these nodes answers, if only by refusing: nobody listens on the discard port.
set -u
export LC_ALL=C

hears() { # ADDRESS
  [[ $(timeout 1 bash -c ': <>"/dev/tcp/$1/9"' hears "$1" 2>&1) == *'Connection refused'* ]]
}

for address; do
  if hears "$address"; then exit 0; fi
done
exit 1
