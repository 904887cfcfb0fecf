#!/bin/bash
# Publishes the static files before uWSGI starts. Any other command (manage.py ...) runs as it is.
set -euo pipefail

main() {
  if [[ ${1:-} == uwsgi ]]; then
    python3 -I -S /usr/local/lib/webapp/publish_static.py
  fi
  exec "$@"
}

main "$@"
