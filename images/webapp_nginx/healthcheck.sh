#!/bin/bash
# Asks this container's nginx for each of the paths: for /nginx_health, if none is given.
set -euo pipefail

ask() {
  local path=$1 status_line
  exec 3<>/dev/tcp/127.0.0.1/80
  printf 'GET %s HTTP/1.0\r\n\r\n' "$path" >&3
  read -r status_line <&3
  exec 3>&-
  echo "$path: $status_line"
  [[ $status_line == 'HTTP/1.1 200 '* ]]
}

main() {
  local path
  for path in "${@:-/nginx_health}"; do
    ask "$path"
  done
}

main "$@"
