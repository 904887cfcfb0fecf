#!/bin/bash
# Installs nginx, and the packages named, into an image that is being built.
set -euo pipefail

apt-get update
apt-get install -y --no-install-recommends libnginx-mod-http-brotli-static nginx-light "$@"
rm -rf /var/cache/apt/* /var/lib/apt/lists/* /var/www/html /etc/nginx/sites-*
# /run is a tmpfs of the caller's, which takes its mode from this directory.
chmod 1777 /run
