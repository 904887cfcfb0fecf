#!/bin/bash
# Names everything that is missing at once; the registry itself would stop at the first.
set -euo pipefail

readonly secrets=(/run/secrets/registry.crt /run/secrets/registry.key)

missing() {
    [[ ${REGISTRY_HTTP_ADDR:-} == *?:* ]] || echo 'REGISTRY_HTTP_ADDR=ADDRESS:PORT is not set'
    local file
    for file in "${secrets[@]}"; do
        [[ -r $file ]] || echo "$file cannot be read by user $(id -u)"
    done
    [[ -w /var/lib/registry ]] || echo "/var/lib/registry cannot be written by user $(id -u)"
}

main() {
    local problems
    problems=$(missing)
    if [[ -n $problems ]]; then
        echo "$problems" >&2
        exit 1
    fi
    exec "$@"
}

main "$@"
