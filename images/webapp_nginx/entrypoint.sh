#!/bin/bash
# Checks what the container was told and hands it to nginx as two includes; nginx.conf itself is static.
#   UWSGI_URI              where Django answers: host:port or unix:/path
#   NGINX_TRUSTED_PROXIES  comma-separated addresses or networks whose X-Forwarded-For is believed
set -euo pipefail

generated=/run/nginx

fail() {
  echo "error: $*" >&2
  exit 1
}

uwsgi_address() {
  local uri=${UWSGI_URI:-}
  local forms="should be host:port or unix:/path (for example 172.17.0.2:29000 or unix:/shared/uwsgi.sock)"
  [[ -n $uri ]] || fail "UWSGI_URI is not set; it $forms"
  if [[ $uri =~ ^unix:/[A-Za-z0-9._/-]+$ ]]; then
    echo "$uri"
  elif [[ $uri =~ ^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?:([0-9]{1,5})$ ]] && is_port "${BASH_REMATCH[2]}"; then
    echo "$uri"
  else
    fail "UWSGI_URI is '$uri'; it $forms"
  fi
}

is_port() {
  ((10#$1 >= 1 && 10#$1 <= 65535))
}

real_ip_lines() {
  local proxy
  for proxy in ${NGINX_TRUSTED_PROXIES//,/ }; do
    [[ $proxy =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$ ]] \
      || fail "NGINX_TRUSTED_PROXIES holds '$proxy'; it should be comma-separated addresses (192.168.56.13) or networks (192.168.56.0/24)"
    echo "set_real_ip_from $proxy;"
  done
}

main() {
  local address proxies
  address=$(uwsgi_address)
  proxies=$(real_ip_lines)
  mkdir -p "$generated"
  echo "set \$django $address;" >"$generated/django.conf"
  echo "$proxies" >"$generated/trusted_proxies.conf"
  exec "$@"
}

NGINX_TRUSTED_PROXIES=${NGINX_TRUSTED_PROXIES:-}
main "$@"
