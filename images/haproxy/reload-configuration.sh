#!/bin/bash
# Makes HAProxy read its configuration again without losing a connection; exits 1, with the old configuration still
# in force, if the new one is wrong. Run it inside HAProxy's container: docker exec haproxy reload-configuration.sh
set -euo pipefail

readonly run=/run/haproxy

ask() { # SOCKET COMMAND
    socat -t 10 - "UNIX-CONNECT:$run/$1.sock" <<<"$2"
}

fail() {
    echo "$1" >&2
    exit 1
}

main() {
    local answer
    # Warnings count as errors here, and not in the configuration: taking over the states below gives some.
    answer=$(haproxy -dW -c -f /etc/haproxy/web.cfg -f /etc/haproxy/mysql.cfg 2>&1) || fail "$answer"

    # Without the states of its predecessor the new process would take every server for up, replicas for the
    # primary among them, until the first checks are in. A file left behind would bring back old drains one day.
    trap 'rm -f "$run/servers.state"' EXIT
    ask admin 'show servers state' >"$run/servers.state"

    answer=$(ask master reload)
    [[ $answer == Success=1* ]] || fail "$answer"
}

main "$@"
