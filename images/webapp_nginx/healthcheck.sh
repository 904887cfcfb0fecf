#!/bin/bash
# Asks this container's nginx for /nginx_health.
set -euo pipefail

main() {
  local status_line
  exec 3<>/dev/tcp/127.0.0.1/80
  printf 'GET /nginx_health HTTP/1.0\r\n\r\n' >&3
  read -r status_line <&3
  echo "$status_line"
  [[ $status_line == 'HTTP/1.1 200 '* ]]
}

main
