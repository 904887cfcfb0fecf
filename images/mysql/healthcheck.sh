#!/bin/bash
# Healthy: this server is ONLINE in the group, and its part of the group has the majority.
set -euo pipefail

exec 3<>"/dev/tcp/$MYSQL_ADDRESS/9200"
printf 'GET /health HTTP/1.0\r\n\r\n' >&3
read -r _ status _ <&3
[[ $status == 200 ]]
